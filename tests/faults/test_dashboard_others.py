"""The dashboard, route by route: another workspace's things answer as what does not exist, and reading changes nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import database, ids
from app.access.actor import Role
from app.accounts.session import SignedIn
from app.members import service as members
from tests.conftest import make_key, unique
from tests.faults.conftest import Desk, StartNodes, make_desk
from tests.support.people import PASSWORD, sign_in
from tests.support.routes import filled, places, routes
from tests.support.visitor import Visitor
from tests.support.walk import crawl

pytestmark = pytest.mark.slow
# What is in an address for its own sake: one-time links, and names of the catalogue.
SECRETS = {"token", "name"}
BELONGING = {route for method in ("GET", "POST") for route in routes(method) if set(places(route)) - SECRETS}
KEY = {"name": "Mine now", "environment": "production", "permissions": "pdf.read", "confirmed": "yes"}
FORM = KEY | {
    "reason": "OTHER",
    "state": "suspended",
    "role": "viewer",
    "newRole": "viewer",
    "email": "new@example.com",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Things:
    """What an address can name."""

    slug: str
    key: str
    user: str
    invitation: str
    session: str

    @classmethod
    def nowhere(cls) -> Things:
        kinds = (ids.API_KEY, ids.USER, ids.INVITATION, ids.SESSION)
        return cls(unique("nowhere"), *(ids.new(kind) for kind in kinds))

    @classmethod
    async def of(cls, desk: Desk, signed_in: SignedIn) -> Things:
        made = await make_key(desk.team)
        invitation, _ = await members.invite(desk.team.owner, desk.slug, "guest@example.org", Role.VIEWER)
        return cls(desk.slug, made.key.id, desk.team.owner.id, invitation.id, signed_in.session.id)

    @property
    def values(self) -> Mapping[str, str]:
        named = {"slug": self.slug, "key_id": self.key, "user_id": self.user}
        named |= {"invitation_id": self.invitation, "session_id": self.session}
        return named | dict.fromkeys(SECRETS, "growth")


async def everything() -> dict[str, list[Any]]:
    """Every row of every table, but for when somebody or something was last seen."""
    if database.is_sqlite():
        rows = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = await database.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    for name in sorted(row["name"] for row in rows if not row["name"].startswith("sqlite")):
        found[name] = sorted((_without_seen(row) for row in await database.fetch(f'SELECT * FROM "{name}"')), key=repr)
    return found


def _without_seen(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("seen_at", "last_workspace", "last_used_at")}


@dataclass
class Two:
    """Ann of Acme, signed in, and the things of Bob, who has nothing to do with her."""

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
        yield Two(visitor, await Things.of(desk, await sign_in()), theirs)


async def test_anothers_things_answer_like_nothing_on_every_route(two: Two) -> None:
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
    """All theirs; and, where a thing is named in a workspace, their thing in our workspace."""
    names = [name for name in places(route) if name not in SECRETS]
    found = [dict(theirs)]
    if len(names) > 1:
        found.append(dict(theirs) | {"slug": ours["slug"]})
    return found


async def _ask(two: Two, method: str, route: str, values: Mapping[str, str]) -> tuple[int, str, list[tuple[str, str]]]:
    """What was answered, without what was sent itself."""
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


async def test_every_change_wants_the_sessions_own_token(two: Two) -> None:
    before = await everything()
    for route in routes("POST"):
        for token in ("", "0" * 64, two.visitor.csrf[:-1] + "~"):
            answer = await two.visitor.post(filled(route, two.ours.values), **FORM | {"csrf": token})
            assert answer.status_code == 403, route
    assert await everything() == before
