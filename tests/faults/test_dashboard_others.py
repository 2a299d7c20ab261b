"""Tenant isolation of the dashboard, route by route: objects of another workspace are not found, and reading changes nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import database, ids
from app.access.actor import Role
from app.alerts.alert import ALERT_ID
from app.clock import DAY
from app.keys.key import API_KEY_ID
from app.management_keys import service as management_keys
from app.management_keys.management_key import MANAGEMENT_KEY_ID, ManagementKeyInput
from app.members import service as members
from app.members.invitation import INVITATION_ID
from app.request_log.request import REQUEST_ID
from app.sessions.session import SESSION_ID, SignedIn
from app.users.user import USER_ID
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import DELIVERY_ID, WEBHOOK_ID, Kind
from tests.conftest import make_key, unique
from tests.faults.conftest import Desk, StartNodes, make_desk
from tests.support.alerts import raise_alert
from tests.support.crawl import crawl
from tests.support.routes import filled, parameters, routes
from tests.support.usage import logged_only
from tests.support.users import PASSWORD, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow
# Path parameters that are not ids of objects: one-time links, and names from the catalogue.
SECRETS = {"token", "name", "item"}
BELONGING = {route for method in ("GET", "POST") for route in routes(method) if set(parameters(route)) - SECRETS}
KEY = {"name": "Mine now", "environment": "production", "permissions": "pdf.read", "confirmed": "yes"}
FORM = KEY | {
    "reason": "OTHER",
    "state": "suspended",
    "role": "viewer",
    "newRole": "viewer",
    "email": "new@example.com",
    "timezone": "UTC",
    "resolution": "HANDLED",
    "kind": "DORMANT_KEY",
    "scopes": "keys.read",
    "lifetime": "30",
}


@dataclass(frozen=True)
class Things:
    """The objects that a path can refer to."""

    slug: str
    key: str
    user: str
    invitation: str
    session: str
    webhook: str
    delivery: str
    alert: str
    request: str
    management_key: str

    @classmethod
    def nowhere(cls) -> Things:
        kinds = (API_KEY_ID, USER_ID, INVITATION_ID, SESSION_ID, WEBHOOK_ID, DELIVERY_ID, ALERT_ID, REQUEST_ID, MANAGEMENT_KEY_ID)
        return cls(unique("nowhere"), *(ids.new(kind) for kind in kinds))

    @classmethod
    async def of(cls, desk: Desk, signed_in: SignedIn) -> Things:
        made = await make_key(desk.team)
        managing = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
        invitation, _ = await members.invite(desk.team.owner, desk.slug, "guest@example.org", Role.VIEWER)
        others = (
            invitation.id,
            signed_in.session.id,
            *await _webhook(desk),
            await raise_alert(made.key),
            await logged_only(made.key.id),
            (await management_keys.create(desk.team.owner, desk.slug, managing))[0].id,
        )
        return cls(desk.slug, made.key.id, desk.team.owner.id, *others)

    @property
    def values(self) -> Mapping[str, str]:
        named = {"slug": self.slug, "key_id": self.key, "user_id": self.user}
        named |= {"invitation_id": self.invitation, "session_id": self.session}
        named |= {"webhook_id": self.webhook, "delivery_id": self.delivery, "alert_id": self.alert, "request_id": self.request}
        named["management_key_id"] = self.management_key
        return named | dict.fromkeys(SECRETS, "growth")


async def _webhook(desk: Desk) -> tuple[str, str]:
    """A webhook, and a delivery that is over, so that no node changes it."""
    asked = WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com")
    async with database.transaction():
        made = (await webhooks.create(desk.team.owner, desk.slug, asked)).webhook
        await webhooks.send_test(desk.team.owner, made.id)
        rows = await database.fetch(
            "UPDATE webhook_delivery SET due_at = NULL, state = 'DELIVERED', finished_at = created_at WHERE webhook = {}"
            " RETURNING id",
            made.id,
        )
        # And no event of these tests is sent.
        await webhooks.update(desk.team.owner, made.id, enabled=False)
    return made.id, rows[0]["id"]


async def everything() -> dict[str, list[Any]]:
    """Every row of every table, without times of last use, visits, and the nodes' own jobs."""
    if database.is_sqlite():
        rows = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = await database.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    for name in sorted(
        row["name"] for row in rows if not row["name"].startswith("sqlite") and row["name"] not in ("job", "usage_visit")
    ):
        found[name] = sorted((_without_seen(row) for row in await database.fetch(f'SELECT * FROM "{name}"')), key=repr)
    return found


def _without_seen(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("seen_at", "last_workspace", "last_used_at")}


@dataclass
class Two:
    """Ann of Acme, signed in, and the objects of Bob in another workspace."""

    visitor: Visitor
    ours: Things
    theirs: Things


@pytest.fixture
async def two(desk: Desk, nodes: StartNodes) -> AsyncIterator[Two]:
    (node,) = nodes(1)
    rival = await make_desk(email="bob@example.com", name="Rival")
    theirs = await Things.of(rival, await sign_in("bob@example.com"))
    async with Visitor(node.url) as visitor:
        await visitor.sign_in("ann@example.org", PASSWORD)
        ours = await Things.of(desk, await sign_in())
        async with asyncio.timeout(60):
            # The node sends the invitations of both workspaces.
            while await database.fetch("SELECT 1 AS waits FROM outbox WHERE due_at IS NOT NULL"):
                await asyncio.sleep(0.05)
        yield Two(visitor, ours, theirs)


async def test_objects_of_another_workspace_are_not_found_on_every_route(two: Two) -> None:
    before = await everything()
    nowhere = Things.nowhere()
    for method in ("GET", "POST"):
        for route in (each for each in routes(method) if each in BELONGING):
            for mixed in _mixtures(route, two.ours.values, two.theirs.values):
                other = {name: nowhere.values[name] if value == two.theirs.values[name] else value for name, value in mixed.items()}
                theirs, nothing = await _ask(two, method, route, mixed), await _ask(two, method, route, other)
                assert theirs == nothing, (method, filled(route, mixed))
                assert theirs[0] in (404, 303), (method, filled(route, mixed), theirs)
    assert await everything() == before


def _mixtures(route: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[dict[str, str]]:
    """Parameters that are all theirs; and, for an object in a workspace, their object in our workspace."""
    names = [name for name in parameters(route) if name not in SECRETS]
    found = [dict(theirs)]
    if len(names) > 1:
        found.append(dict(theirs) | {"slug": ours["slug"]})
    return found


async def _ask(two: Two, method: str, route: str, values: Mapping[str, str]) -> tuple[int, str, list[tuple[str, str]]]:
    """The answer, without the values that were sent."""
    path = filled(route, values)
    if method == "GET":
        answer = await two.visitor.get(path)
    else:
        await two.visitor.get("/account")
        answer = await two.visitor.post(path, **FORM)
    return answer.status_code, _neutral(answer, values), _headers(answer, values)


def _neutral(answer: httpx.Response, values: Mapping[str, str]) -> str:
    text = answer.text
    for value in values.values():
        text = text.replace(value, "…")
    return re.sub(r"req_[a-z0-9]{20}", "req", text)


def _headers(answer: httpx.Response, values: Mapping[str, str]) -> list[tuple[str, str]]:
    left_out = ("date", "content-length")
    found = [(name, value) for name, value in answer.headers.multi_items() if name not in left_out]
    for each in values.values():
        found = [(name, value.replace(each, "…")) for name, value in found]
    return found


async def test_no_page_that_is_read_changes_anything(two: Two) -> None:
    await two.visitor.get(f"/w/{two.ours.slug}")
    before = await everything()
    starts = [filled(route, two.ours.values) for route in routes("GET") if "events" not in route]
    pages = await crawl(two.visitor, *starts)
    assert set(starts) <= set(pages)
    assert {status // 100 for status in pages.values()} <= {2, 3, 4}
    for path in starts:
        await two.visitor.client.head(path)
        await two.visitor.client.options(path)
    assert await everything() == before


async def test_every_change_requires_the_sessions_own_token(two: Two) -> None:
    before = await everything()
    for route in routes("POST"):
        for token in ("", "0" * 64, two.visitor.csrf[:-1] + "~"):
            answer = await two.visitor.post(filled(route, two.ours.values), **FORM | {"csrf": token})
            assert answer.status_code == 403, route
    assert await everything() == before
