"""The page of the audit log: filters, search, and the same filters for the files."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from app import database
from app.access.actor import Actor, Request
from app.clock import DAY, from_datetime
from app.errors import NotAuthenticated
from app.keys import service as keys
from app.sessions import service as sessions
from app.tenancy import service as tenancy
from app.users import store as user_store
from app.web.framework import downloads
from app.web.framework.session_auth import Visitor
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key, make_team
from tests.support.users import PASSWORD, make_owner
from tests.web.conftest import Browser, later

LOG = "/w/acme/settings/audit-log"
NOON = from_datetime(datetime(2026, 11, 24, 12, tzinfo=UTC))


async def history(team: Team) -> str:
    """Four entries on three days, by two people; returns the id of the first key."""
    database.freeze(NOON)
    first = (await make_key(team, "Billing")).key.id
    database.freeze(NOON + DAY)
    await keys.suspend(team.editor, first)
    database.freeze(NOON + 2 * DAY)
    await make_key(team, "100% Reports_")
    await workspaces.update(team.owner, team.slug, name="Acme Two")
    database.freeze(None)
    return first


def actions(page: str) -> list[str]:
    """The first word of each entry on the page."""
    return re.findall(r'<tr id="aud_\w+">\s*<td>(\w+)', page)


def files(page: str) -> dict[str, str]:
    found = re.findall(r'href="([^"]+/export\.(csv|jsonl)[^"]*)"', page)
    return {form: html.unescape(address) for address, form in found}


async def test_each_filter_leaves_the_entries_that_match_and_the_form_shows_it(owner: Browser, team: Team) -> None:
    key = await history(team)
    everything = ["Changed", "Created", "Suspended", "Created"]
    for given, expected in (
        ({}, everything),
        ({"actor": team.editor.id}, ["Suspended"]),
        ({"action": "key.created"}, ["Created", "Created"]),
        ({"target": key}, ["Suspended", "Created"]),
        ({"since": "2026-11-25"}, everything[:3]),
        ({"until": "2026-11-25"}, everything[2:]),
        ({"since": "2026-11-25", "until": "2026-11-25"}, ["Suspended"]),
        ({"q": "bill"}, ["Suspended", "Created"]),
        ({"q": "acme TWO"}, ["Changed"]),
        ({"q": "100%"}, ["Created"]),
        ({"q": "%"}, ["Created"]),
        ({"q": "reports_"}, ["Created"]),
        ({"q": "_"}, everything),
        ({"actor": team.owner.id, "action": "key.created", "q": "bill", "until": "2026-11-24"}, ["Created"]),
        ({"q": "nothing like this"}, []),
        ({"actor": "usr_gone"}, []),
        ({"since": "soon", "until": "9999-12-31"}, everything),
    ):
        assert (await owner.open(f"{LOG}?{httpx.QueryParams(given)}")).status_code == 200
        assert actions(owner.page) == expected, given
        readable = {name: text for name, text in given.items() if name not in ("since", "until") or text[:3] == "202"}
        assert readable.items() <= dict(owner.form(LOG).values).items()


async def test_the_name_of_a_key_leads_to_it_and_entries_are_grouped_by_day(owner: Browser, team: Team) -> None:
    key = await history(team)
    await keys.update(team.owner, key, {"name": "<b>Renamed</b>"})
    await keys.suspend(team.owner, (await make_key(team, "<i>Odd</i>")).key.id)
    await owner.open(f"{LOG}?until=2026-11-26")
    link = f'<a href="/w/acme/settings/api-keys/{key}">'
    assert owner.page.count(f"Created the API key {link}“Billing”</a>") == 1
    assert owner.page.count(f"Suspended the API key {link}“Billing”</a>") == 1
    assert re.findall(r'<th scope="rowgroup" colspan="4">([^<]+)', owner.page) == ["26 Nov 2026", "25 Nov 2026", "24 Nov 2026"]
    await owner.open(LOG)
    assert f"of an {link}API key</a>" in owner.page
    assert "“&lt;i&gt;Odd&lt;/i&gt;”</a>" in owner.page and "<i>Odd" not in owner.page


async def test_days_are_those_of_the_workspace(owner: Browser, team: Team) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Pacific/Auckland")
    database.freeze(NOON + DAY)
    await make_key(team, "Early on the 26th in Auckland")
    database.freeze(None)
    await owner.open(f"{LOG}?since=2026-11-26&until=2026-11-26")
    assert actions(owner.page) == ["Created"]


async def test_the_filters_list_the_people_and_actions_of_this_log(owner: Browser, team: Team, other_team: Team) -> None:
    await history(team)
    await make_key(other_team)
    await owner.open(LOG)
    options = re.findall(r'<option value="([^"]+)"', owner.page)
    assert set(options) == {team.owner.id, team.editor.id, "key.created", "key.suspended", "workspace.updated"}
    assert "Editor of acme" in owner.page and "Key suspended" in owner.page


async def test_the_files_contain_what_the_page_shows_of_all_its_pages(owner: Browser, team: Team) -> None:
    for n in range(60):
        await workspaces.update(team.owner, team.slug, name=f"Name {n}")
    await history(team)
    await owner.open(f"{LOG}?action=workspace.updated&q=name")
    addresses = files(owner.page)
    answer = await owner.open(addresses["csv"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert re.fullmatch(r'attachment; filename="acme-audit-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert [row[0] for row in rows[1:]] == [str(n) for n in (*range(1, 61), 64)]
    lines = [json.loads(line) for line in (await owner.open(addresses["jsonl"])).text.splitlines()]
    assert lines[0]["filter"] == {"action": "workspace.updated", "search": "name"}
    assert [line["position"] for line in lines[1:-1]] == [*range(1, 61), 64]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_an_export_needs_a_recent_password_and_the_log_does_not(browser: Browser, form: str) -> None:
    user, workspace = await make_owner()
    await make_key(Team(workspace, *[Actor.user(user.id, user.name)] * 3), "Billing")
    await browser.open("/sign-in")
    await browser.send("/sign-in", email=user.email, password=PASSWORD)
    await browser.open(f"{LOG}?action=key.created&q=bill&until=2999-01-01")
    address = files(browser.page)[form]
    assert "Billing" in (await browser.open(address)).text
    await later(11)
    refused = await browser.open(address)
    assert (refused.status_code, refused.text) == (303, "")
    await browser.follow()
    assert (await browser.send("/account/confirm", confirmPassword="not my password at all")).status_code == 422
    assert (await browser.open(address)).status_code == 303
    await browser.follow()
    await browser.send("/account/confirm", confirmPassword=PASSWORD)
    await browser.follow()
    assert files(browser.page)[form] == address and "Your password is confirmed" in browser.page
    assert "Billing" in (await browser.open(address)).text
    await later(11)
    await browser.open(LOG)
    assert actions(browser.page) == ["Created", "Created"]


async def test_pages_and_files_keep_the_filters(owner: Browser, team: Team) -> None:
    for n in range(55):
        await workspaces.update(team.owner, team.slug, name=f"Name {n}")
    await make_key(team)
    await owner.open(f"{LOG}?action=workspace.updated")
    (older,) = re.findall(r'rel="next" href="([^"]+)"', owner.page)
    await owner.open(html.unescape(older))
    assert actions(owner.page) == ["Changed"] * 5
    assert "action=workspace.updated" in files(owner.page)["csv"]


async def test_a_search_with_a_secret_repeats_only_its_prefix(owner: Browser, team: Team) -> None:
    secret = (await make_key(team)).secret
    await owner.open(f"{LOG}?q={secret}")
    assert secret is not None and secret not in owner.page


async def test_members_of_another_workspace_get_neither_page_nor_file(owner: Browser, team: Team) -> None:
    await make_key(await make_team("rival"))
    for path in ("audit-log", "audit-log/export.csv", "audit-log/export.jsonl", "audit"):
        assert (await owner.open(f"/w/rival/settings/{path}")).status_code == 404


async def test_the_short_address_leads_to_the_page_with_its_filters(owner: Browser, team: Team) -> None:
    await owner.open("/w/acme/settings/audit?action=key.created")
    assert (await owner.follow()).url.path == LOG
    assert "action=key.created" in str(owner.shown and owner.shown.url)


async def test_too_many_downloads_at_once_wait(owner: Browser, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST_OF_WORKSPACE", 0)
    answer = await owner.open(f"{LOG}/export.csv")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")


async def test_a_reader_who_loses_access_gets_an_incomplete_file_and_its_place_is_free_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "CHECK_SECONDS", -1.0)
    user = await user_store.find(team.owner.id)
    assert user is not None
    async with tenancy.changing_installation(team.owner) as change:
        begun = await sessions.begin(change, user)

    async def pieces() -> AsyncIterator[str]:
        yield "one"
        async with database.transaction():
            await database.fetch("DELETE FROM session")
        yield "two"

    here = downloads.Downloads(lambda: False)
    for _ in range(downloads.MOST + 1):
        visitor = Visitor(begun.session, begun.token, Request())
        answer = here.stream(
            visitor,
            team.workspace.id,
            pieces(),
            allowed=lambda: tenancy.seen(team.owner, team.slug),
            media_type="x/y",
            file_name="f",
        )
        sent: list[object] = []
        with pytest.raises(NotAuthenticated):
            async for piece in answer.iterator:
                sent.append(piece)
        assert sent in (["one"], [])
