"""Invitations, from the members' page to the invited person's first page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.access.actor import Role
from app.clock import DAY, MINUTE
from app.members import service as members
from tests.conftest import Team
from tests.support.users import PASSWORD, make_owner
from tests.web.conftest import Browser, later, rows

MINUTES_A_DAY = DAY // MINUTE


async def invited(team: Team, email: str, role: Role = Role.EDITOR) -> str:
    _, link = await members.invite(team.owner, team.slug, email, role)
    return re.sub(r"^https?://[^/]+", "", link)


async def test_the_link_is_shown_once_and_not_in_the_list(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/members"
    await owner.open(path)
    answer = await owner.send(path, email="bo@example.org", role="editor")
    assert answer.status_code == 201
    (link,) = re.findall(r"data-secret>(\S+)</code>", owner.page)
    assert link.startswith(f"{owner.origin}/invitations/")
    await owner.open(path)
    assert "bo@example.org" in owner.page
    assert link.rsplit("/", 1)[1] not in owner.page


async def test_a_new_user_joins_with_a_name_and_a_password(browser: Browser, team: Team) -> None:
    path = await invited(team, "bo@example.org")
    await browser.open(path)
    assert "Join Acme" in browser.page and "editor" in browser.page and "bo@example.org" in browser.page
    assert (await browser.send(path, name="Bo", password="short")).status_code == 422
    assert dict(browser.form(path).values) == {"name": "Bo", "password": ""}
    assert (await browser.send(path, name="Bo", password=PASSWORD)).status_code == 303
    assert str((await browser.follow()).url).endswith("/w/acme")
    assert (await browser.open(path)).status_code == 410


async def test_opening_an_invitation_does_not_use_it_up(browser: Browser, team: Team) -> None:
    path = await invited(team, "bo@example.org")
    for _ in range(3):
        assert (await browser.open(path)).status_code == 200
    assert (await browser.send(path, name="Bo", password=PASSWORD)).status_code == 303


async def test_an_existing_user_signs_in_and_joins_with_one_button(browser: Browser, team: Team) -> None:
    await make_owner("ann@example.org", workspace="Elsewhere")
    path = await invited(team, "Ann@Example.org", Role.VIEWER)
    await browser.open(path)
    (way,) = re.findall(r'href="(/sign-in\?next=[^"]+)"', browser.page)
    await browser.open(way)
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    await browser.follow()
    answer = await browser.send(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/w/acme")
    assert (await browser.follow()).status_code == 200


async def test_somebody_signed_in_as_another_user_can_sign_out_and_continue(viewer: Browser, team: Team) -> None:
    path = await invited(team, "bo@example.org")
    await viewer.open(path)
    assert "viewer@acme.example" in viewer.page and "bo@example.org" in viewer.page
    fields = [("csrf", dict(viewer.form("/sign-out").values)["csrf"])]
    assert (await viewer.post(path, fields, **viewer.same_origin_headers)).status_code == 403
    await viewer.open(path)
    assert (await viewer.send("/sign-out")).headers["location"] == path
    await viewer.follow()
    assert (await viewer.send(path, name="Bo", password=PASSWORD)).status_code == 303


@pytest.mark.parametrize("way", ["withdrawn", "too old", "replaced"])
async def test_an_invalid_invitation_is_gone(owner: Browser, browser: Browser, team: Team, way: str) -> None:
    path = await invited(team, "bo@example.org")
    if way == "withdrawn":
        await owner.open(f"/w/{team.slug}/settings/members")
        (action,) = re.findall(r'action="([^"]+/withdrawal)"', owner.page)
        assert (await owner.send(action)).status_code == 303
    elif way == "too old":
        await later(7 * MINUTES_A_DAY)
    else:
        await invited(team, "bo@example.org")
    assert (await browser.open(path)).status_code == 410
    assert (await browser.post(path, {"name": "Bo", "password": PASSWORD}, **browser.same_origin_headers)).status_code == 410


async def test_a_form_sent_twice_creates_one_account(browser: Browser, browse: Callable[..., Browser], team: Team) -> None:
    path = await invited(team, "bo@example.org")
    second = browse()
    for one in (browser, second):
        await one.open(path)
    assert (await browser.send(path, name="Bo", password=PASSWORD)).status_code == 303
    assert (await second.send(path, name="Bo", password=PASSWORD)).status_code == 410
    assert await rows("account") == 4
