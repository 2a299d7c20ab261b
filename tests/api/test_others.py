"""What belongs to another workspace answers, byte for byte, as what does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from app import database, ids
from app.access.actor import Role, Scope
from app.clock import DAY
from app.keys import secret as secrets
from app.management import service as management
from app.management.key import Asked
from app.members import service as members
from app.rotations import service as rotations
from tests.api.conftest import program
from tests.conftest import Team, make_key, unique
from tests.support.callers import use
from tests.support.graphql import Client, operation, operations

NEW_KEY = {"name": "k", "environment": "production", "permissions": ["pdf.read"]}


@dataclass(frozen=True)
class Things:
    """What an operation can name."""

    slug: str
    workspace: str
    key: str
    secret: str
    user: str
    management_key: str
    rotation: str
    caller: str
    invitation: str

    @classmethod
    def nowhere(cls) -> Things:
        kinds = (ids.WORKSPACE, ids.API_KEY, ids.USER, ids.MANAGEMENT_KEY, ids.ROTATION, ids.CALLER, ids.INVITATION)
        workspace, key, user, management_key, *others = (ids.new(kind) for kind in kinds)
        secret = secrets.generate("fl", "live")
        return cls(unique("nowhere"), workspace, key, secret, user, management_key, *others)

    @classmethod
    async def of(cls, team: Team) -> Things:
        made, asked = await make_key(team), Asked("CI", ("keys.read",), await database.now() + DAY)
        managing, _ = await management.create(team.owner, team.slug, asked)
        await use(made.key.id)
        run = (await rotations.start(team.owner, made.key.id)).progress
        caller = run.callers[0].caller.id
        invitation, _ = await members.invite(team.owner, team.slug, "asked@example.org", Role.VIEWER)
        others = (team.editor.id, managing.id, run.rotation.id, caller, invitation.id)
        return cls(team.slug, team.workspace.id, made.key.id, made.secret or "", *others)


def naming(things: Things, expires_at: str = "2027-06-01T00:00:00Z") -> dict[str, list[dict[str, Any]]]:
    """For every operation that names things: variables that name these."""
    slug = {"workspace": things.slug}
    every = (things.key, things.workspace, things.management_key, things.user, things.rotation, things.caller, things.invitation)
    return {
        "workspaces/show": [slug],
        "workspaces/usage": [slug],
        "workspaces/update": [{"input": slug | {"name": "Mine now"}}],
        "plans/change": [{"input": slug | {"plan": "free"}}],
        "keys/list": [slug, {"filter": {"search": things.key}}, {"filter": {"search": things.secret}}],
        "keys/show": [{"id": each} for each in every],
        "keys/usage": [{"id": things.key}],
        "keys/callers": [{"id": each} for each in every],
        "keys/impact": [{"id": each} for each in every],
        "keys/line": [{"id": each} for each in every],
        "rotations/list": [slug, slug | {"openOnly": True}],
        "rotations/show": [{"id": each} for each in every],
        "rotations/start": [{"input": {"id": each}} for each in every],
        "rotations/complete": [{"input": {"id": each, "force": True}} for each in every],
        "rotations/cancel": [{"input": {"id": each, "force": True}} for each in every],
        "rotations/extend": [{"input": {"id": each, "deadline": expires_at}} for each in every],
        "rotations/dismiss": [{"input": {"rotation": each, "caller": things.caller}} for each in every],
        "keys/create": [{"input": slug | NEW_KEY}],
        "keys/update": [{"input": {"id": each, "name": "Mine now"}} for each in every],
        "keys/suspend": [{"input": {"id": each}} for each in every],
        "keys/resume": [{"input": {"id": each}} for each in every],
        "keys/revoke": [{"input": {"id": each, "reason": "OTHER"}} for each in every],
        "keys/revoke-all": [{"input": {"ids": [each], "reason": "OTHER"}} for each in every],
        "keys/verify": [{"input": {"key": things.secret}}, {"input": slug | {"key": things.secret}}],
        "members/list": [slug],
        "members/invite": [{"input": slug | {"email": "new@example.com", "role": "VIEWER"}}],
        "members/withdraw": [{"input": {"id": each}} for each in every],
        "members/change-role": [
            {"input": {"user": things.user, "role": "OWNER"}},
            {"input": slug | {"user": things.user, "role": "VIEWER"}},
        ],
        "members/remove": [{"input": {"user": things.user}}, {"input": slug | {"user": things.user}}],
        "management/list": [slug],
        "management/create": [{"input": slug | {"name": "CI", "scopes": ["keys.read"], "expiresAt": expires_at}}],
        "management/revoke": [{"input": {"id": each}} for each in every],
        "audit/list": [slug, *({"target": each} for each in every)],
    }


async def everything() -> list[Any]:
    """Every row, but for the note that a caller's management key was used."""
    tables = ("api_key", "member", "account", "audit_entry", "link", "usage_hour", "key_last_used", "rotation", "caller")
    rows = [await database.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    rows.append(await database.fetch("SELECT id, maker, scopes, expires_at, revoked_at FROM management_key ORDER BY 1"))
    return [*rows, await database.fetch("SELECT id, slug, name, plan, timezone FROM workspace ORDER BY 1")]


def test_every_operation_that_names_something_is_here() -> None:
    named = {
        name for name in operations() if any(f"${word}:" in operation(name) for word in ("id", "input", "workspace", "target"))
    }
    assert set(naming(Things.nowhere())) == named


@pytest.mark.parametrize("name", sorted(naming(Things.nowhere())))
async def test_anothers_things_answer_like_nothing(team: Team, other_team: Team, name: str) -> None:
    callers = [Client(team.owner), await program(team.owner, team.slug, *Scope), await program(team.owner, team.slug, "keys.read")]
    theirs = naming(await Things.of(other_team))[name]
    before = await everything()
    for caller in callers:
        for variables, unknown in zip(theirs, naming(Things.nowhere())[name], strict=True):
            answer, expected = await caller.send(operation(name), variables), await caller.send(operation(name), unknown)
            assert (answer.status_code, answer.content) == (expected.status_code, expected.content)
            # Each answer has an id of its own, and what the caller has left is less after each question.
            varying = ("date", "ratelimit", "x-request-id")
            headers = [{name: value for name, value in each.headers.items() if name not in varying} for each in (answer, expected)]
            assert headers[0] == headers[1]
    assert await everything() == before


async def test_anothers_management_key_cannot_be_taken_over(team: Team, other_team: Team) -> None:
    theirs = (await Things.of(other_team)).management_key
    owner = Client(team.owner)
    for named in (theirs, ids.new(ids.MANAGEMENT_KEY)):
        answer = await owner.change("members/remove", user=team.editor.id, takeOver=[named])
        assert [fault["field"] for fault in answer["fields"]] == ["takeOver"]
