"""No notice is issued twice or lost: with two concurrent processes, a restart, or a process killed between commit and mail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app import database
from app.alerts import service as alerts
from app.clock import HOUR, MINUTE
from app.settings import Settings
from tests.alerts.conftest import NOW, key_due, mailbox, open_now, round_at
from tests.conftest import Team, make_key
from tests.support.processes import answer, python
from tests.support.server import Server

# Another node that runs the job once, when the test allows it.
NODE = f"""
import asyncio, os, sys
from app import database, start
from app.alerts import service as alerts
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        database.freeze({NOW})
        if "waits" in sys.argv:
            open(sys.argv[-1]).read()
        raised = await alerts.run({NOW})
        if "dies" in sys.argv:
            os._exit(9)
        print(len(raised))
asyncio.run(main())
"""
KEYS = 6


@pytest.fixture
async def due(team: Team, emptied: None, at: int) -> Team:
    for number in range(KEYS):
        await key_due(team, 5, f"Key {number}")
    return team


@pytest.mark.slow
async def test_two_concurrent_processes_issue_a_notice_once(
    due: Team, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    for gate in gates:
        os.mkfifo(gate)
    nodes = [python(NODE, environment, "waits", str(gate)) for gate in gates]
    # Opening a pipe waits for its reader: when both are open, both nodes are about to run the job.
    opened = [await asyncio.to_thread(gate.open, "w") for gate in gates]
    for pipe in opened:
        pipe.close()
    told = sum([int(await asyncio.to_thread(answer, node)) for node in nodes])
    assert told == KEYS
    assert len(await mailbox(settings)) == 2
    assert len(await open_now(due)) == KEYS


@pytest.mark.slow
async def test_running_nodes_issue_a_notice_by_themselves_and_once(
    team: Team, emptied: None, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    await make_key(team, "Visitor", environment="development", expires_at=await database.now() + HOUR)
    with Server(environment, tmp_path, patient=True).running(), Server(environment, tmp_path, patient=True).running():
        async with asyncio.timeout(30):
            while len(await mailbox(settings)) < 2:
                await asyncio.sleep(0.05)
    assert await open_now(team) == [("Visitor", "EXPIRY", 1)]
    assert len(await mailbox(settings)) == 2


@pytest.mark.slow
async def test_workers_issue_a_notice_once(
    team: Team, emptied: None, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    await make_key(team, "Visitor", environment="development", expires_at=await database.now() + HOUR)
    with Server(environment | {"KEYDESK_WORKERS": "3"}, tmp_path, patient=True).running() as server:
        async with asyncio.timeout(30):
            while len(await mailbox(settings)) < 2:
                await asyncio.sleep(0.05)
        # A graceful stop ends what the other workers may have begun.
        assert await asyncio.to_thread(server.stop) == 0
    assert await open_now(team) == [("Visitor", "EXPIRY", 1)]
    assert len(await mailbox(settings)) == 2


async def test_concurrent_runs_in_one_process_issue_a_notice_once(due: Team, settings: Settings) -> None:
    told = await asyncio.gather(*(alerts.run(NOW) for _ in range(5)))
    assert sorted(len(each) for each in told) == [0, 0, 0, 0, KEYS]
    assert len(await mailbox(settings)) == 2


@pytest.mark.slow
async def test_a_restart_repeats_no_notice(due: Team, environment: dict[str, str], settings: Settings) -> None:
    node = python(NODE, environment)
    assert int(await asyncio.to_thread(answer, node)) == KEYS
    assert await round_at(NOW + MINUTE) == []
    assert len(await mailbox(settings)) == 2


@pytest.mark.slow
async def test_after_a_crash_before_the_mail_each_notice_is_on_the_list_and_mailed_once(
    due: Team, environment: dict[str, str], settings: Settings
) -> None:
    node = python(NODE, environment, "dies")
    await asyncio.to_thread(node.communicate)
    assert node.returncode == 9
    assert len(await open_now(due)) == KEYS
    assert await round_at(NOW + MINUTE) == []
    assert len(await mailbox(settings)) == 2


async def test_a_run_whose_commit_fails_is_repeated_by_the_next(
    due: Team, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> bool:
        await database.fetch("SELECT 1 FROM there_is_no_such_table")
        return True

    with monkeypatch.context() as patched:
        patched.setattr(alerts.store, "add", broken)
        assert await round_at(NOW) == []
    assert await mailbox(settings) == []
    assert len(await round_at(NOW + MINUTE)) == KEYS
    assert len(await mailbox(settings)) == 2
