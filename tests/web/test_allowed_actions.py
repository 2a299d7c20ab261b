"""Pages offer only allowed actions: every page with a route, for every role, with keys in every state."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

import pytest

from app import clock, database
from app.access import policy
from app.access.actor import Actor, Role
from app.api.schema import ACTIONS
from app.calendar import service as calendar
from app.keys import service as keys
from app.keys.key import Reason
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.members import service as members
from app.rotations import service as rotations
from app.web.request_log import REFUSALS
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.forms import forms_of
from tests.support.routes import filled, routes
from tests.support.usage import logged
from tests.web.conftest import Browser, signed_in
from tests.web.test_parity import CALENDAR_LINK, SAME

# Streams, data and one-time links are not pages that other pages link to.
NO_PAGES = re.compile(r"\{token\}|^/calendar/|^/graphql/|/events$")
_LINK = re.compile(r'<a [^>]*href="(/[^"#]*)"')
_OWN_MEMBERSHIP = "/w/{slug}/settings/members/{user_id}/removal"


@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("role", list(Role))
async def test_no_page_offers_a_form_or_link_that_its_reader_may_not_use(
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
    """The actions of the page's forms that the reader may not submit."""
    for form in forms_of(page):
        if form.method.lower() != "post":
            continue
        (route,) = [each for each in routes("POST") if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), form.action)]
        if route not in SAME.keys() | CALENDAR_LINK or (route == _OWN_MEMBERSHIP and reader.id in form.action):
            continue  # allowed to every user for their own account
        actions = [policy.Action.SHARE_CALENDAR] if route in CALENDAR_LINK else [_action(name) for name in SAME[route]]
        if not any(policy.may(reader, role, action, suspended=suspended) for action in actions):
            yield form.action


def _action(mutation: str) -> policy.AnyAction:
    found = ACTIONS[f"Mutation.{mutation}"]
    assert found is not None
    return found


async def furnished(team: Team) -> list[dict[str, str]]:
    """A workspace with keys in every state, an invitation and a calendar link; the objects that its pages can show."""
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
    made = await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    await webhooks.send_test(team.owner, made.webhook.id)
    requests = [await logged(key, outcome) for key, outcome in zip(about, REFUSALS, strict=True)]
    managing = ManagementKeyInput("CI", ("keys.read",), now + clock.DAY)
    management_key = (await management_keys.create(team.owner, team.slug, managing))[0].id
    common = {"slug": team.slug, "name": "free", "webhook_id": made.webhook.id, "management_key_id": management_key}
    return [
        common | {"key_id": key, "user_id": person, "request_id": request}
        for key, person, request in zip(about, people, requests, strict=True)
    ]
