"""Guarantees across processes, even if they are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from typing import IO

import pytest

from app import database
from app.keys import service as keys
from app.keys.key import Reason
from tests.conftest import make_key, make_team
from tests.support.processes import python
from tests.verification.conftest import counters
from tests.verification.node_process import STEP, STEPS

KILLS = 20
ANSWERS_BEFORE_A_KILL = 300
NODES = 3
Process = subprocess.Popen[str]


@pytest.fixture
def nodes() -> Iterator[list[Process]]:
    """Kills the processes that a test started at its end."""
    started: list[Process] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def node(started: list[Process], environment: dict[str, str], secrets: list[str], *arguments: str) -> Process:
    source = "import runpy; runpy.run_module('tests.verification.node_process', run_name='__main__', alter_sys=True)"
    started.append(python(source, environment | {"SECRETS": json.dumps(secrets)}, *arguments))
    return started[-1]


def output(process: Process) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


async def until_database_is_idle() -> None:
    """Waits, because PostgreSQL may still run a killed client's last statement."""
    while not database.is_sqlite():
        others = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
        )
        if not await database.fetch(others):
            return


async def counted() -> int:
    await until_database_is_idle()
    return sum((await counters()).values())


@pytest.mark.slow
async def test_every_answered_request_is_counted_once_over_twenty_kills(
    db: None, environment: dict[str, str], nodes: list[Process]
) -> None:
    team = await make_team(plan="scale_enterprise")
    secrets = [str((await make_key(team, f"Key {number}")).secret) for number in range(30)]
    for _ in range(KILLS):
        before = await counted()
        process = node(nodes, environment, secrets, "count")
        reported = await asyncio.to_thread(output(process).read, 2 * ANSWERS_BEFORE_A_KILL)
        process.kill()
        reported += await asyncio.to_thread(output(process).read)
        assert reported.count("a") >= ANSWERS_BEFORE_A_KILL - 32, "it was under load when it was killed"
        assert reported.count("a") <= await counted() - before <= reported.count("s")


@pytest.mark.slow
async def test_no_verification_that_begins_after_an_acknowledged_revocation_is_accepted_on_any_node(
    db: None, environment: dict[str, str], nodes: list[Process]
) -> None:
    steps = STEPS if not database.is_sqlite() else STEPS // 5
    team = await make_team(plan="scale_enterprise")
    made = [await make_key(team, f"Key {number}") for number in range(steps)]
    secrets = [str(created.secret) for created in made]
    running = [node(nodes, environment, secrets, "revoke", str(steps)) for _ in range(NODES)]
    revoked: dict[str, int] = {}
    for created in made:
        for process in running:
            assert await asyncio.to_thread(output(process).readline) == ".\n"
        await keys.revoke(team.owner, created.key.id, Reason.SUSPICIOUS_ACTIVITY)
        revoked[str(created.secret)] = time.monotonic_ns()
    reported = [json.loads(await asyncio.to_thread(output(process).read)) for process in running]
    assert sum(node["answered"] for node in reported) >= 0.95 * NODES * steps * STEP
    late = [key for node in reported for key, begun in node["accepted"].items() if begun > revoked[key]]
    assert late == []
    assert all(len(node["accepted"]) > steps / 2 for node in reported), "the keys were in use when they were revoked"
