"""Twenty times `kill -9` in the middle of a fold, of the process that folds and of PostgreSQL, with reads in between: what was
answered is counted exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from app import database
from app.settings import Settings
from tests.conftest import KIND, make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway, known
from tests.support.processes import python

pytestmark = pytest.mark.slow
KILLS, APPENDERS, LINES = 20, 3, 40
# For every line of input a child that appends and folds without a pause, in many small steps: prints its process id, a plus for
# every append that was answered, a minus for one that was Unavailable, and a full stop when it has ended. What a killed one had
# locked stays locked until PostgreSQL notices, so the next one may find it Unavailable.
FOLDER = f"""
import asyncio, contextlib, os, sys
from app import start
from app.errors import Unavailable
from app.settings import Settings
from app.usage import log
from app.usage.counters import Use

log.MOST_IN_STEP = 3

async def append(number):
    while True:
        number += 1
        try:
            await log.current().append([Use(f"key_{{number % 40}}", 0, "pdf.read", "VALID", "", "curl", 1, 1, number, None)])
            os.write(1, b"+")
        except Unavailable:
            os.write(1, b"-")
        await asyncio.sleep(0)

async def fold():
    while True:
        with contextlib.suppress(Unavailable):
            await log.current().settle()
        await asyncio.sleep(0.002)

async def main():
    async with start.opened(Settings.load(os.environ)):
        await asyncio.gather(fold(), *(append(number * 13) for number in range({APPENDERS})))

while sys.stdin.readline():
    child = os.fork()
    if not child:
        os.write(1, b"%d " % os.getpid())
        asyncio.run(main())
    os.waitpid(child, 0)
    os.write(1, b".")
"""
# Work of a fold: a backend that is in its transaction.
FOLDING = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%usage_%' AND state <> 'idle' LIMIT 1"


class Appended(NamedTuple):
    """Appends that were answered, and those with an unknown result."""

    answered: int
    undecided: int

    @classmethod
    def of(cls, printed: bytes) -> Appended:
        return cls(printed.count(b"+"), printed.count(b"-"))


class Children:
    """Starts and kills the processes that fold, one at a time."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._parent = python(FOLDER, environment)
        self._child = 0

    def start(self) -> Appended:
        """Returns when some appends were answered."""
        assert self._parent.stdin is not None
        self._parent.stdin.write("go\n")
        self._parent.stdin.flush()
        found = b""
        while found.count(b"+") < LINES:
            found += self._read()
            assert b"." not in found, (found, self._parent.communicate())
        self._child = int(re.match(rb"\d+", found)[0])  # type: ignore[index]
        return Appended.of(found)

    def kill(self) -> Appended:
        """Returns what was appended since `start` returned."""
        os.kill(self._child, signal.SIGKILL)
        found = b""
        while not found.endswith(b"."):
            found += self._read()
        return Appended.of(found)

    def close(self) -> None:
        self._parent.communicate()

    def _read(self) -> bytes:
        assert self._parent.stdout is not None
        found = os.read(self._parent.stdout.fileno(), 4_096)
        assert found, self._parent.communicate()
        return found


async def counted() -> int:
    return int((await database.fetch("SELECT COALESCE(SUM(requests), 0) AS n FROM usage_hour"))[0]["n"])


async def steps() -> int:
    return int((await database.fetch("SELECT COUNT(*) AS n FROM usage_log WHERE merged = 1"))[0]["n"])


async def test_a_killed_folder_loses_and_repeats_nothing(db: None, environment: dict[str, str]) -> None:
    answered, undecided, left = 0, 0, []
    with contextlib.closing(Children(environment)) as children:
        for kill in range(1, KILLS + 1):
            first = await asyncio.to_thread(children.start)
            if kill % 2:
                # Read while it appends and folds: everything answered before is there.
                assert await known(counted) >= answered + first.answered
            await asyncio.sleep(random.random() / 20)
            rest = await asyncio.to_thread(children.kill)
            left.append(await steps())
            answered += first.answered + rest.answered
            # PostgreSQL may still commit what a killed process has sent.
            undecided += first.undecided + rest.undecided + APPENDERS
            assert answered <= await known(counted) <= answered + undecided
    # Otherwise none was killed between two steps.
    assert any(left)
    assert await database.fetch("SELECT id FROM usage_log") == []


@pytest.mark.skipif(KIND != "postgres", reason="SQLite has no server")
async def test_a_killed_postgres_loses_and_repeats_nothing(
    desk: Desk, nodes: StartNodes, settings: Settings, tmp_path: Path
) -> None:
    """A killed backend makes the server kill all others and recover from its log."""
    made, (node,) = await make_key(desk.team), await asyncio.to_thread(nodes, 1)
    answered = undecided = kills = 0
    over = False

    async def verify() -> None:
        nonlocal answered, undecided
        async with Gateway(node.port, desk.gateway) as gateway:
            while not over:
                answer = await gateway.verify(made.secret or "", permission="pdf.read")
                answered, undecided = answered + (answer.status == 200), undecided + (answer.status == 503)

    async with asyncio.TaskGroup() as group, asyncio.timeout(300):
        for _ in range(4):
            group.create_task(verify())
        while kills < KILLS:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                watcher = await asyncpg.connect(settings.database_url)
                try:
                    while (folding := await watcher.fetchval(FOLDING)) is None:
                        pass
                finally:
                    watcher.terminate()
                os.kill(folding, signal.SIGKILL)
                kills += 1
            before = answered
            while answered < before + 5:
                await asyncio.sleep(0.05)
        over = True
    # The last kill may take effect only now.
    assert answered <= await known(counted) <= answered + undecided
    assert undecided > 0
