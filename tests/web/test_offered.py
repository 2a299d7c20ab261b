"""No page offers what its reader may not do: every page that has a route, for every role, about keys in every state."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

import pytest

from app import clock, database
from app.access import fields, policy
from app.access.actor import Actor, Role
from app.calendar import service as calendar
from app.keys import service as keys
from app.keys.key import Reason
from app.members import service as members
from app.rotations import service as rotations
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.forms import forms_of
from tests.support.routes import filled, routes
from tests.web.conftest import Browser, signed_in
from tests.web.test_parity import CALENDAR_LINK, SAME

# Streams, data and links of one time are no pages that somebody is led to.
NO_PAGES = re.compile(r"\{token\}|^/calendar/|^/graphql/|/events$")
_LINK = re.compile(r'<a [^>]*href="(/[^"#]*)"')
_OWN_MEMBERSHIP = "/w/{slug}/settings/members/{user_id}/removal"


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("role", list(Role))
async def test_no_page_offers_a_form_or_a_way_that_its_reader_is_refused(
    browse: Callable[..., Browser], team: Team, role: Role, suspended: bool
) -> None:
    """`suspended`: in a workspace that the operator has suspended."""
    values = await furnished(team)
    if suspended:
        await workspaces.suspend(Actor.operator(), team.slug)
    reader = {Role.OWNER: team.owner, Role.EDITOR: team.editor, Role.VIEWER: team.viewer}[role]
    browser = await signed_in(browse(), reader)
    waiting = [filled(route, each) for route in routes("GET") if not NO_PAGES.search(route) for each in values]
    statuses: dict[str, int] = {}
    offered: dict[str, str] = {}
    wrong: list[str] = []
    while waiting:
        path = waiting.pop()
        if path in statuses:
            continue
        statuses[path] = (await browser.open(path)).status_code
        for way in [html.unescape(found) for found in _LINK.findall(browser.page)]:
            offered[way] = path
            waiting.append(way)
        if statuses[path] == 200:
            wrong += [f"{path} has a form to {action}" for action in refused(browser.page, reader, role, suspended=suspended)]
    wrong += [f"{path} leads to {way}" for way, path in offered.items() if statuses[way] == 403]
    assert wrong == []
    assert statuses["/w/acme/settings/api-keys"] == 200 and len(offered) > 20


def refused(page: str, reader: Actor, role: Role, *, suspended: bool) -> Iterator[str]:
    """Where the forms of a page lead, of those that the reader may not send."""
    for form in forms_of(page):
        if form.method.lower() != "post":
            continue
        (route,) = [each for each in routes("POST") if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), form.action)]
        if route not in SAME.keys() | CALENDAR_LINK or (route == _OWN_MEMBERSHIP and reader.id in form.action):
            continue  # one's own affair, whatever the role
        actions = [policy.Action.SHARE_CALENDAR] if route in CALENDAR_LINK else [_action(name) for name in SAME[route]]
        if not any(policy.may(reader, role, action, suspended=suspended) for action in actions):
            yield form.action


def _action(mutation: str) -> policy.Action:
    found = fields.FIELDS[f"{fields.MUTATIONS}{mutation}"]
    assert found is not None
    return found


async def furnished(team: Team) -> list[dict[str, str]]:
    """A workspace with keys in every state, an invitation and a calendar's link; what its pages can be about."""
    now = await database.now()
    active, suspended, revoked, rotated = [(await make_key(team, name)).key.id for name in ("Active", "Still", "Gone", "Old")]
    expired = (await make_key(team, "Over", expires_at=now + clock.HOUR)).key.id
    await keys.suspend(team.owner, suspended)
    await keys.revoke(team.owner, revoked, Reason.OTHER)
    run = (await rotations.start(team.owner, rotated)).progress
    await members.invite(team.owner, team.slug, "guest@example.org", Role.VIEWER)
    await calendar.renew_link(team.owner, team.slug)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = {} WHERE id = {}", now - clock.HOUR, expired)
    about = [active, suspended, revoked, expired, rotated, run.successor.id]
    people = [team.owner.id, team.editor.id, team.viewer.id] * 2
    common = {"slug": team.slug, "name": "free"}
    return [common | {"key_id": key, "user_id": person} for key, person in zip(about, people, strict=True)]
