"""`kill -9` of a process that folds hours or closes days, before, during and after a statement: no total changes, and the next run
finishes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

import pytest

from app import database
from app.clock import DAY, MINUTE
from app.jobs import runner as jobs
from app.usage import folding
from app.usage.noun import NOUN
from app.usage.ranges import first_hour_kept, first_open_day
from tests.conftest import Team
from tests.support.processes import ROOT, without_settings
from tests.usage.history import NOW, closed, oldest_hours, reads

pytestmark = pytest.mark.slow
WITHIN_SECONDS: Final = 120
# Imports everything once. For each line, a job, an instant, and the moment of death, it forks a process that works under the
# job's lease and is killed at that statement of it, and prints how it ended. A process that is not killed ends itself.
WORKER: Final = """
import asyncio, os, signal, sys, threading
from app import database, start
from app.jobs import runner
from app.settings import Settings
from app.usage.noun import NOUN

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(fetch, moment, statements):
    left = statements
    async def at_last(*given):
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            die()
        if left == 0 and moment == "during":
            threading.Timer(0.0005, die).start()
        found = await fetch(*given)
        if left == 0 and moment == "after":
            die()
        return found
    return at_last

async def work(name, now, moment, statements):
    async with start.opened(Settings.load(os.environ)):
        database.freeze(int(now))
        database.fetch = dying(database.fetch, moment, int(statements))
        await runner.attempt(next(job for job in NOUN.jobs if job.name == name))

for line in sys.stdin:
    child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            asyncio.run(work(*line.split()))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
# The first seven take the lease and read; then each transaction has a few.
STATEMENTS: Final = (1, 6, 8, 9, 10, 12, 16)
DEATHS: Final = [(moment, statements) for statements in STATEMENTS for moment in ("before", "during", "after")]


@pytest.fixture
async def worker(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER),
        cwd=ROOT, env=without_settings() | environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def ended(worker: asyncio.subprocess.Process, *line: object) -> int:
    """How a process ended that did this."""
    assert worker.stdin and worker.stdout
    worker.stdin.write(" ".join(map(str, line)).encode() + b"\n")
    async with asyncio.timeout(WITHIN_SECONDS):
        return int(await worker.stdout.readline())


async def progress() -> tuple[int, int]:
    """Rows of hours that are not their day's first, and of closed days."""
    hours = await database.fetch("SELECT COUNT(*) AS n FROM usage_hour WHERE hour % {} <> 0", DAY)
    return hours[0]["n"], (await database.fetch("SELECT COUNT(*) AS n FROM workspace_day"))[0]["n"]


@pytest.mark.parametrize("name", ["usage.fold_hours", "usage.close_days"])
async def test_a_killed_job_changes_no_total_and_the_next_run_finishes_it(
    used: tuple[Team, list[str]], worker: asyncio.subprocess.Process, name: str
) -> None:
    job = next(job for job in NOUN.jobs if job.name == name)
    assert job.wanted is not None
    before, now, seen = await reads(*used), NOW, [await progress()]
    for moment, statements in DEATHS:
        # Later than the lease of the one before.
        now += MINUTE
        assert await ended(worker, name, now, moment, statements) == -signal.SIGKILL
        assert await reads(*used) == before, (moment, statements)
        seen.append(await progress())
    assert len(set(seen)) > 4, "several were killed after some of the work"
    assert await job.wanted(now)
    database.freeze(now + MINUTE)
    assert await jobs.attempt(job)
    assert await reads(*used) == before
    assert not await job.wanted(now + MINUTE)
    if name == "usage.fold_hours":
        assert all(hour % DAY == 0 for hour in await oldest_hours())
        assert await closed() == {"hours": first_hour_kept(NOW) - DAY}
    else:
        assert await closed() == {used[0].workspace.id: first_open_day(NOW)}
        assert await folding.close_days(now) == 0
