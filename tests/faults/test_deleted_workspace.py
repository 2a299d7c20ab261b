"""A workspace that is deleted while its keys are used and new ones are created, also if the deleting node is killed: it is deleted
completely or not at all, and once that was answered none of its keys is accepted on any node."""

from __future__ import annotations

import asyncio
import contextlib
import random
from functools import partial

import pytest

from app import database
from app.access.actor import Actor, OperatorScope
from app.audit import service as audit
from app.clock import DAY
from app.journal import file as journal
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.operator_keys import service as operator_keys
from app.settings import Settings
from tests.conftest import Team, make_key, make_team
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway, Program, Unanswered, Undecided, Unsent, known
from tests.support.server import Server

pytestmark = pytest.mark.slow
ROUNDS = 8
OPERATOR = Actor.operator()


async def state(team: Team) -> tuple[bool, set[bool]]:
    """Whether it is deleted, and for everything that opens it, whether that lives."""
    (row,) = await database.fetch(
        "SELECT w.deleted_at, (SELECT count(*) FROM api_key k WHERE k.workspace = w.id AND k.revoked_at IS NULL) AS keys,"
        " (SELECT count(*) FROM management_key m WHERE m.workspace = w.id AND m.revoked_at IS NULL) AS managing,"
        " (SELECT count(*) FROM member m WHERE m.workspace = w.id) AS members FROM workspace w WHERE w.id = {}",
        team.workspace.id,
    )
    return row["deleted_at"] is not None, {row[name] > 0 for name in ("keys", "managing", "members")}


async def create_until_refused(node: Server, token: str, made: list[str]) -> None:
    async with Program(node.port, token) as program:
        while True:
            try:
                answer = await program.change("keys/create", name="k", environment="production", permissions=["pdf.read"])
            except Undecided:
                continue
            # 401: its management key is revoked, too.
            except AssertionError:
                return
            if "secret" not in answer:
                return
            made.append(answer["secret"])


async def test_it_is_deleted_completely_or_not_at_all(desk: Desk, nodes: StartNodes, settings: Settings) -> None:
    doomed, steady = nodes(2)
    chance = random.Random(13)
    wanted = ManagementKeyInput("Billing", tuple(OperatorScope), await database.now() + DAY)
    _, operator = await operator_keys.create(OPERATOR, wanted)
    interrupted = 0
    for number in range(ROUNDS):
        team = await make_team(f"customer-{number}", plan="scale_enterprise")
        made = [str((await make_key(team, f"Key {each}")).secret) for each in range(3)]
        asked = ManagementKeyInput("CI", ("keys.write",), await database.now() + DAY)
        _, token = await management_keys.create(OPERATOR, team.slug, asked)
        creating = asyncio.create_task(create_until_refused(steady, token, made))
        answered = asyncio.create_task(_deleted(doomed, operator, team))
        if number % 2 == 0:
            await asyncio.sleep(chance.uniform(0, 0.03))
            await asyncio.to_thread(doomed.kill)
            is_answered = await answered
            await asyncio.to_thread(doomed.start)
        else:
            is_answered = await answered
        gone, living = await state(team)
        assert living == {not gone} and (gone or not is_answered), (number, gone, living, is_answered)
        interrupted += not is_answered
        if not gone:
            assert await known(partial(_deleted_for_sure, doomed, operator, team))
        await creating
        assert await state(team) == (True, {False})
        for node in (doomed, steady):
            async with Gateway(node.port, desk.gateway) as gateway:
                assert {(await gateway.verdict(secret)).json()["code"] for secret in made} == {"REVOKED"}
        assert await audit.first_broken(team.workspace.id) is None
    assert interrupted > 0
    revoked = {row["id"] for row in await database.fetch("SELECT id FROM api_key WHERE revoked_at IS NOT NULL")}
    await asyncio.to_thread(doomed.kill)
    await asyncio.to_thread(doomed.start)
    assert revoked <= set(journal.read(settings.journal_path))


async def _deleted_for_sure(node: Server, token: str, team: Team) -> bool:
    async with Program(node.port, token) as program:
        answer = await program.change("workspaces/delete", id=team.workspace.id, slug=team.slug)
        return "deletedId" in answer


async def _deleted(node: Server, token: str, team: Team) -> bool:
    """Whether it was answered that the workspace is deleted."""
    with contextlib.suppress(Unsent, Unanswered, Undecided):
        return await _deleted_for_sure(node, token, team)
    return False
