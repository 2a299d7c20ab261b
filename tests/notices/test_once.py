"""Nothing is told twice: two processes at once, a restart in between, a process killed between commit and mail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app import database
from app.clock import HOUR, MINUTE
from app.notices import service as notices
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.notices.conftest import NOW, key_due, mailbox, open_now, round_at
from tests.support.processes import answer, python
from tests.support.server import Server

# Another node that does one round of the job, when the test lets it.
NODE = f"""
import asyncio, os, sys
from app import database, mail, start
from app.notices import service as notices
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        database.freeze({NOW})
        if "waits" in sys.argv:
            open(sys.argv[-1]).read()
        told = await notices.run({NOW})
        if "dies" in sys.argv:
            os._exit(9)
        await mail.current().drain()
        print(len(told))
asyncio.run(main())
"""
KEYS = 6


@pytest.fixture
async def due(team: Team, emptied: None, at: int) -> Team:
    for number in range(KEYS):
        await key_due(team, 5, f"Key {number}")
    return team


@pytest.mark.slow
async def test_two_processes_at_once_tell_once(due: Team, environment: dict[str, str], settings: Settings, tmp_path: Path) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    for gate in gates:
        os.mkfifo(gate)
    nodes = [python(NODE, environment, "waits", str(gate)) for gate in gates]
    # Opening a pipe waits for its reader: when both are open, both nodes stand before their round.
    opened = [await asyncio.to_thread(gate.open, "w") for gate in gates]
    for pipe in opened:
        pipe.close()
    told = sum([int(await asyncio.to_thread(answer, node)) for node in nodes])
    assert told == KEYS
    assert len(await mailbox(settings)) == 2
    assert len(await open_now(due)) == KEYS


@pytest.mark.slow
async def test_nodes_at_work_tell_by_themselves_and_once(
    team: Team, emptied: None, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    await make_key(team, "Visitor", environment="development", expires_at=await database.now() + HOUR)
    with Server(environment, tmp_path).running(), Server(environment, tmp_path).running():
        async with asyncio.timeout(30):
            while len(await mailbox(settings)) < 2:
                await asyncio.sleep(0.05)
    assert await open_now(team) == [("Visitor", "EXPIRY", 1)]
    assert len(await mailbox(settings)) == 2


async def test_rounds_at_once_in_one_process_tell_once(due: Team, settings: Settings) -> None:
    told = await asyncio.gather(*(notices.run(NOW) for _ in range(5)))
    assert sorted(len(each) for each in told) == [0, 0, 0, 0, KEYS]
    assert len(await mailbox(settings)) == 2


@pytest.mark.slow
async def test_a_restart_tells_nothing_again(due: Team, environment: dict[str, str], settings: Settings) -> None:
    node = python(NODE, environment)
    assert int(await asyncio.to_thread(answer, node)) == KEYS
    assert await round_at(NOW + MINUTE) == []
    assert len(await mailbox(settings)) == 2


@pytest.mark.slow
async def test_a_node_that_dies_before_its_mail_leaves_the_list_true_and_mails_at_most_once(
    due: Team, environment: dict[str, str], settings: Settings
) -> None:
    node = python(NODE, environment, "dies")
    await asyncio.to_thread(node.communicate)
    assert node.returncode == 9
    assert len(await open_now(due)) == KEYS
    assert await round_at(NOW + MINUTE) == []
    assert len(await mailbox(settings)) <= 2


async def test_a_round_whose_commit_fails_is_told_by_the_next(
    due: Team, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> bool:
        await database.fetch("SELECT 1 FROM there_is_no_such_table")
        return True

    with monkeypatch.context() as patched:
        patched.setattr(notices.store, "add", broken)
        assert await round_at(NOW) == []
    assert await mailbox(settings) == []
    assert len(await round_at(NOW + MINUTE)) == KEYS
    assert len(await mailbox(settings)) == 2
