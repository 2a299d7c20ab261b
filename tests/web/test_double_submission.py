"""A form whose answer shows a secret or link once, sent twice: one valid object is created, and the second answer leads to it."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from app import database
from app.access.actor import Actor, Request
from app.calendar import service as calendars
from app.keys import service as keys
from app.keys.key import Status
from app.management_keys import service as management_keys
from app.members import service as members
from app.rotations import service as rotations
from app.rotations.start import ANSWER_ON_ITS_WAY
from tests.conftest import Team, make_key
from tests.support.forms import Pairs
from tests.web.conftest import Browser, rows

SHOWN: Final = re.compile(r'<code class="key" id="(?:secret|link|calendar)" data-secret>([^<]+)</code>')
KEYS: Final = "/w/acme/settings/api-keys"
Sent = tuple[str, Pairs]


async def _new_key(owner: Browser, team: Team) -> Sent:
    await owner.open(f"{KEYS}/new")
    await owner.send(f"{KEYS}/new", name="Server", environment="production", permissions=["pdf.read"], review="yes")
    return f"{KEYS}/new", owner.form(f"{KEYS}/new").filled(confirmed="yes")


async def _replacement(owner: Browser, team: Team) -> Sent:
    key = (await make_key(team)).key
    path = f"{KEYS}/{key.id}/replacement"
    await owner.open(f"{KEYS}/{key.id}?made=yes")
    return path, owner.form(path).filled()


async def _rotation(owner: Browser, team: Team) -> Sent:
    path = f"{KEYS}/{(await make_key(team)).key.id}/rotation"
    await owner.open(path)
    return path, owner.form(path).filled()


async def _another_successor(owner: Browser, team: Team) -> Sent:
    key = (await make_key(team)).key
    await rotations.start(team.owner, key.id)
    path = f"{KEYS}/{key.id}/rotation"
    await owner.open(path)
    return f"{path}/replacement", owner.form(f"{path}/replacement").filled()


async def _invitation(owner: Browser, team: Team) -> Sent:
    path = "/w/acme/settings/members"
    await owner.open(path)
    return path, owner.form(path).filled(email="bo@example.org", role="editor")


async def _calendar(owner: Browser, team: Team) -> Sent:
    path = "/w/acme/settings/calendar"
    await calendars.renew_link(team.owner, team.slug)
    await owner.open(path)
    return path, owner.form(path).filled()


async def _management_key(owner: Browser, team: Team) -> Sent:
    path = "/w/acme/settings/management-keys/new"
    await owner.open(path)
    return path, owner.form(path).filled(name="CI", scopes=["keys.read"])


async def _management_key_lives(secret: str) -> bool:
    return (await management_keys.authenticate(secret, Request())).name == "CI"


async def _key_lives(secret: str) -> bool:
    (key,) = await keys.find_by_secret(Actor.operator(), secret)
    return key.status(await database.now()) is Status.ACTIVE


async def _invitation_lives(link: str) -> bool:
    return await members.find_invitation(link.rpartition("/")[2]) is not None


async def _calendar_lives(link: str) -> bool:
    return bool(await calendars.read(link.rpartition("/")[2].removesuffix(".ics")))


# The function that fills in the form; the table of its objects and how many it adds; the check that the shown one works.
WAYS: Final[dict[str, tuple[Callable[[Browser, Team], Awaitable[Sent]], str, int, Callable[[str], Awaitable[bool]]]]] = {
    "a new key": (_new_key, "api_key", 1, _key_lives),
    "another key for one that nobody uses": (_replacement, "api_key", 1, _key_lives),
    "a rotation": (_rotation, "api_key", 1, _key_lives),
    "another successor": (_another_successor, "api_key", 1, _key_lives),
    "an invitation": (_invitation, "link", 1, _invitation_lives),
    "a management key": (_management_key, "management_key", 1, _management_key_lives),
    "a calendar": (_calendar, "calendar_link", 0, _calendar_lives),
}


@pytest.mark.parametrize("at_once", [False, True], ids=["in a row", "at once"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_form_sent_repeatedly_creates_one_object_whose_shown_secret_is_valid(
    owner: Browser, team: Team, way: str, at_once: bool
) -> None:
    fill, table, more, lives = WAYS[way]
    path, fields = await fill(owner, team)
    before = await rows(table)
    sendings = [owner.post(path, fields, **owner.same_origin_headers) for _ in range(2)]
    answers = list(await asyncio.gather(*sendings)) if at_once else [await each for each in sendings]
    answers.sort(key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [201, 303]
    (shown,) = SHOWN.findall(answers[0].text)
    assert await rows(table) == before + more
    assert await lives(html.unescape(shown))
    page = await owner.open(answers[1].headers["location"])
    assert page.status_code == 200 and shown not in page.text
    assert re.search(r"[Ss]hown once|with the first answer|shown then|Replace the lost secret", page.text)


async def test_a_rotation_form_sent_again_much_later_keeps_the_key_that_was_shown(owner: Browser, team: Team) -> None:
    path, fields = await _rotation(owner, team)
    (shown,) = SHOWN.findall((await owner.post(path, fields, **owner.same_origin_headers)).text)
    database.freeze(await database.now() + 2 * ANSWER_ON_ITS_WAY)
    assert (await owner.post(path, fields, **owner.same_origin_headers)).status_code == 303
    assert await _key_lives(shown)


async def test_the_same_form_with_other_input_creates_another_object(owner: Browser, team: Team) -> None:
    path, fields = await _invitation(owner, team)
    await owner.post(path, fields, **owner.same_origin_headers)
    changed = [(name, "cy@example.org" if name == "email" else text) for name, text in fields]
    assert (await owner.post(path, changed, **owner.same_origin_headers)).status_code == 201
    assert await rows("link") == 2
