"""A rotation's deadline: any live node ends the rotation, within five seconds, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import database
from app.access.actor import ActorKind
from app.audit import service as audit
from app.clock import DAY, SECOND, rfc3339
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.rotations import service as rotations
from app.rotations.rotation import Progress, State
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.access import seen
from tests.support.graphql import operation
from tests.support.server import Server

PATIENCE_SECONDS = 30


def node(environment: dict[str, str], folder: Path) -> Server:
    return Server(environment, folder, patient=True)


async def ask(node: Server, token: str, name: str, **given: Any) -> Any:
    async with httpx.AsyncClient(base_url=node.url, headers={"authorization": f"Bearer {token}"}, timeout=20) as client:
        answer = (await client.post("/graphql", json={"query": operation(name), "variables": {"input": given}})).json()
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return found


async def verify(node: Server, secret: str) -> str:
    async with httpx.AsyncClient(base_url=node.url, headers={"authorization": f"Bearer {GATEWAY_TOKEN}"}, timeout=20) as client:
        return str((await client.post("/v1/verify", json={"key": secret})).json()["code"])


async def ended(team: Team, rotation_id: str) -> Progress:
    """Waits for the stored end of the rotation, and returns the rotation."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await database.fetch("SELECT 1 AS ended FROM rotation WHERE id = {} AND ended_at IS NOT NULL", rotation_id):
            await asyncio.sleep(0.05)
    return await rotations.get(team.viewer, rotation_id)


@pytest.mark.slow
async def test_if_the_node_that_started_a_rotation_is_killed_another_ends_it_within_five_seconds_once(
    team: Team, environment: dict[str, str], tmp_path: Path
) -> None:
    made = await make_key(team)
    _, token = await management_keys.create(
        team.owner, team.slug, ManagementKeyInput("CI", ("keys.write",), await database.now() + DAY)
    )
    with (
        node(environment, tmp_path).running() as first,
        node(environment, tmp_path).running() as second,
    ):
        deadline = await database.now() + 2 * SECOND
        started = await ask(first, token, "rotations/start", id=made.key.id, deadline=rfc3339(deadline), onDeadline="REVOKE")
        first.kill()
        assert await verify(second, made.secret or "") == "VALID"
        done = await ended(team, started["rotation"]["id"])
        assert await verify(second, made.secret or "") == "REVOKED"
        assert await verify(second, started["secret"]) == "VALID"
    ending = done.rotation.ending
    assert ending is not None and deadline <= ending.at <= deadline + 5 * SECOND
    assert (done.state, ending.by.kind) == (State.COMPLETED, ActorKind.SYSTEM)
    assert [entry.action for entry in await audit.about(await seen(team.viewer, team.slug), done.rotation.id)] == [
        "rotation.completed",
        "rotation.started",
    ]
    assert made.key.id in journal.read(journal.current().path)
    assert await audit.first_broken(team.workspace.id) is None


@pytest.mark.slow
async def test_the_derived_end_of_a_rotation_is_stored_by_one_of_two_nodes(
    team: Team, environment: dict[str, str], tmp_path: Path
) -> None:
    runs = [(await rotations.start(team.editor, (await make_key(team)).key.id)).progress for _ in range(3)]
    with node(environment, tmp_path).running(), node(environment, tmp_path).running():
        for run in runs:
            await keys.revoke(team.owner, run.successor.id, Reason.OTHER)
        for run in runs:
            found = await ended(team, run.rotation.id)
            assert found.state is State.CANCELLED
            actions = [entry.action for entry in await audit.about(await seen(team.viewer, team.slug), run.rotation.id)]
            assert actions == ["rotation.cancelled", "rotation.started"]
