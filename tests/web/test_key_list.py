"""The list of keys: usage and actions in each row, the two keys of a rotation together, keys found by their callers."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from urllib.parse import quote

import pytest

from app import database
from app.access.actor import Actor
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import Reason
from app.plans import service as plans
from app.rotations import service as rotations
from tests.conftest import Team, make_key, make_team
from tests.support.callers import use
from tests.support.statements import counted
from tests.web.conftest import Browser, signed_in

LIST = "/w/acme/settings/api-keys"


def rows(browser: Browser) -> dict[str, str]:
    """The rows of the list by key, in order."""
    return dict(re.findall(r'<tr id="(key_\w+)"(.*?)</tr>', browser.page, re.DOTALL))


async def test_each_row_has_the_requests_of_14_days_read_in_one_statement(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    now = await database.now()
    for age in (0, 1, 13, 14):
        await use(key.id, at=now - age * DAY)
    with counted() as few:
        await viewer.open(LIST)
    (row,) = rows(viewer).values()
    assert row.count('class="good-part"') == 3 and "3 requests in 14 days" in row
    for n in range(5):
        await use((await make_key(team, f"Key {n}")).key.id)
    with counted() as many:
        await viewer.open(LIST)
    assert len(rows(viewer)) == 6 and len(many) == len(few)
    assert sum("usage_day" in text for text in many) == 1


async def test_a_row_offers_what_its_key_and_its_reader_allow(viewer: Browser, editor: Browser, team: Team) -> None:
    active, suspended, revoked = [(await make_key(team, name)).key.id for name in ("Active", "Suspended", "Revoked")]
    await keys.suspend(team.owner, suspended)
    await keys.revoke(team.owner, revoked, Reason.OTHER)
    await editor.open(LIST)
    offered = {key_id: re.findall(r'<a[^>]*href="[^"]*/(\w+)">(\w+)</a></li>', row) for key_id, row in rows(editor).items()}
    assert offered[active] == [("rotation", "Rotate"), ("edit", "Edit"), ("suspension", "Suspend"), ("revocation", "Revoke")]
    assert offered[suspended] == [("edit", "Edit"), ("suspension", "Resume"), ("revocation", "Revoke")]
    assert offered[revoked] == []
    await viewer.open(LIST)
    assert "<details" not in "".join(rows(viewer).values())


async def test_the_two_keys_of_a_rotation_are_together_wherever_they_are_in_the_order(viewer: Browser, db: None) -> None:
    team = await make_team("large", plan="scale_enterprise")
    browser, path = await signed_in(viewer, team.viewer), "/w/large/settings/api-keys"
    old = (await make_key(team, "Shop")).key
    others = [(await make_key(team, f"Key {n:02}")).key.id for n in range(26)]
    new = (await rotations.start(team.owner, old.id)).progress.successor
    for query in ("", "?sort=oldest"):
        await browser.open(f"{path}{query}")
        found = rows(browser)
        assert [*found][:2] == [old.id, new.id] and len(found) == 26
        assert ">old key<" in found[old.id] and ">new key<" in found[new.id] and f"replaces {old.prefix}…" in found[new.id]
    # Paging goes by the keys' own order: every key is on some page.
    await browser.open(path)
    first = [*rows(browser)]
    (onward,) = re.findall(r'rel="next" href="([^"]+)"', browser.page)
    await browser.open(html.unescape(onward))
    assert {*first, *rows(browser)} == {old.id, new.id, *others}
    await browser.open(f"{path}?q={old.prefix}")
    assert [*rows(browser)] == [old.id, new.id] and "1 key," in browser.page


async def test_after_a_rotation_its_keys_are_marked_no_more(viewer: Browser, team: Team) -> None:
    progress = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    await rotations.complete(team.owner, progress.rotation.id, force=True)
    await viewer.open(LIST)
    assert len(rows(viewer)) == 2 and "old key" not in viewer.page and "new key" not in viewer.page


@pytest.mark.parametrize(
    "text", ["invoice", "INVOICE-W", "203.0.113.0/24", "203.0.113.77", "203.0.113", "2001:db8:1:2::9", "{id}", "{prefix}"]
)
async def test_a_key_is_found_by_its_id_its_prefix_and_its_callers(viewer: Browser, team: Team, text: str) -> None:
    key = (await make_key(team, "Wanted")).key
    await use((await make_key(team, "Other")).key.id, "198.51.100.9", "curl/8.4")
    await use(key.id, "203.0.113.9", "Invoice-Worker/2.0")
    await use(key.id, "2001:db8:1::1", "cron")
    await viewer.open(f"{LIST}?q={quote(text.format(id=key.id, prefix=key.prefix))}")
    assert [*rows(viewer)] == [key.id]


async def test_a_search_finds_no_key_of_another_workspace_and_no_wildcard(viewer: Browser, team: Team, db: None) -> None:
    other = await make_team("other")
    foreign = (await make_key(other)).key
    await use(foreign.id, "203.0.113.9", "invoice-worker")
    await use((await make_key(team)).key.id, "198.51.100.9", "curl")
    for text in (foreign.id, foreign.prefix, "invoice", "203.0.113.9", "%%", "__", "*", ""):
        await viewer.open(f"{LIST}?q={quote(text)}")
        assert foreign.id not in rows(viewer) and len(rows(viewer)) == (0 if text else 1), text


async def test_never_used_and_idle_keys_are_filters(viewer: Browser, team: Team) -> None:
    now = await database.now()
    never, idle, busy, revoked = [(await make_key(team, name)).key.id for name in ("Never", "Idle", "Busy", "Revoked")]
    await use(idle, at=now - 91 * DAY)
    await use(busy, at=now - 89 * DAY)
    await keys.revoke(team.owner, revoked, Reason.OTHER)
    for status, found in (("never-used", [never]), ("idle", [idle]), ("", [revoked, busy, idle, never])):
        await viewer.open(f"{LIST}?status={status}")
        assert [*rows(viewer)] == found


async def test_the_files_have_every_key_that_the_list_shows_and_no_secret(viewer: Browser, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")
    made = [await make_key(team, f"Key {number}") for number in range(101)]
    odd = await make_key(team, "=1+1", environment="staging", expires_at=await database.now() + DAY)
    await keys.revoke(team.owner, made[0].key.id, Reason.ROTATED)
    await make_key(await make_team("other"), "Not ours")
    await viewer.open(LIST)
    answer = await viewer.open(f"{LIST}.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-api-keys.csv"'
    found = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in found] == [each.key.id for each in (*made, odd)]
    assert (found[0]["status"], found[0]["revocationReason"]) == ("REVOKED", "ROTATED")
    last = [found[-1][name] for name in ("name", "permissions", "createdBy", "owner")]
    assert last == ["'=1+1", "pdf.generate pdf.read", team.owner.name, team.owner.name]
    assert not [each for each in (*made, odd) if each.secret[12:] in answer.text]
    await viewer.open(f"{LIST}?environment=staging&status=active")
    (address,) = re.findall(r'href="([^"]+api-keys\.jsonl[^"]*)"', viewer.page)
    (line,) = (await viewer.open(html.unescape(address))).text.splitlines()
    assert json.loads(line)["id"] == odd.key.id
