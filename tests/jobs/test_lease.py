"""Leases: one node at a time runs a job; a dead node keeps a job only until its lease ends."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.clock import SECOND, YEAR
from app.jobs import store
from app.jobs.lease import LEASE
from app.jobs.runner import attempt, run_forever
from app.noun import Job
from tests.conftest import unique
from tests.support.processes import python

NOW = 1_800_000_000 * SECOND


@pytest.fixture(autouse=True)
def frozen(db: None) -> None:
    database.freeze(NOW)


async def test_of_many_nodes_one_runs_the_job(db: None) -> None:
    done: list[int] = []

    async def work(now: int) -> None:
        done.append(now)
        await asyncio.sleep(0)

    jobs = [Job("same", 60, work) for _ in range(20)]
    assert sum(await asyncio.gather(*(attempt(job) for job in jobs))) == 1
    assert done == [NOW]


@pytest.mark.parametrize(("offset", "again"), [(-1, False), (0, True), (1, True)])
async def test_a_job_runs_again_when_it_is_due_and_not_before(db: None, offset: int, again: bool) -> None:
    done: list[int] = []

    async def work(now: int) -> None:
        done.append(now)

    job = Job("timed", 60, work)
    assert await attempt(job)
    assert not await attempt(job)
    database.freeze(NOW + 60 * SECOND + offset)
    assert await attempt(job) is again
    assert len(done) == 1 + again


@pytest.mark.parametrize(("offset", "free"), [(-1, False), (0, True), (1, True)])
async def test_a_dead_nodes_lease_ends_after_three_seconds(db: None, offset: int, free: bool) -> None:
    lease = await store.take("left behind")
    assert lease == NOW + LEASE == NOW + 3 * SECOND
    database.freeze(NOW + LEASE + offset)
    assert await store.is_free("left behind", NOW + LEASE + offset) is free
    assert (await store.take("left behind") is not None) is free


@pytest.mark.parametrize("ends", [True, False], ids=["given back", "left behind"])
async def test_a_lease_dated_a_year_ahead_stops_no_job(db: None, ends: bool) -> None:
    done: list[int] = []

    async def work(now: int) -> None:
        done.append(now)

    job = Job("ahead", 60, work)
    database.freeze(NOW + YEAR)
    assert await attempt(job) if ends else await store.take("ahead", 60)
    database.freeze(NOW)
    assert await attempt(job)
    assert done[-1] == NOW
    assert not await attempt(job)


async def test_only_the_node_that_holds_a_lease_extends_it(db: None) -> None:
    first = await store.take("kept")
    assert first is not None
    database.freeze(NOW + SECOND)
    renewed = await store.renew("kept", first)
    assert renewed == NOW + SECOND + LEASE
    assert await store.renew("kept", first) is None
    database.freeze(renewed)
    assert await store.take("kept") == renewed + LEASE
    await store.give_back("kept", renewed, 0)
    assert not await store.is_free("kept", renewed)


async def test_without_due_work_nothing_is_written(db: None) -> None:
    async def never(now: int) -> bool:
        return False

    async def work(now: int) -> None:
        raise AssertionError

    assert not await attempt(Job("idle", 1, work, wanted=never))
    assert await database.fetch("SELECT * FROM job") == []


async def test_a_failed_job_is_logged_and_retried_at_its_next_time(db: None) -> None:
    async def work(now: int) -> None:
        raise ValueError("broken")

    job = Job("failing", 60, work)
    with pytest.raises(ValueError, match="broken"):
        await attempt(job)
    assert not await attempt(job)
    assert await store.is_free("failing", NOW + 60 * SECOND)


async def test_a_node_that_lost_its_lease_stops_and_leaves_it_to_the_other(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.runner.BEAT_SECONDS", 0.001)
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(now: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    asleep = asyncio.create_task(attempt(Job("stolen", 60, work)))
    await begun.wait()
    while True:
        # As if the node had been paused: its lease ends, however often it was extended.
        database.freeze((database.frozen() or 0) + LEASE)
        theirs = await store.take("stolen")
        if theirs is not None:
            break
    assert await asleep
    assert stopped.is_set()
    assert await store.renew("stolen", theirs) is not None


async def test_a_long_job_does_not_delay_others_and_all_stop_together(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.runner.LOOK_SECONDS", 0.001)
    database.freeze(None)
    turns, enough, stopped = 0, asyncio.Event(), asyncio.Event()

    async def long(now: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def short(now: int) -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            enough.set()
        if turns == 1:
            raise ValueError("an error keeps nobody from the next turn")

    runner = asyncio.create_task(run_forever([Job("long", 1, long), Job("short", 0, short)]))
    await enough.wait()
    runner.cancel()
    await asyncio.wait([runner])
    assert runner.cancelled() and stopped.is_set()


HOLD = """
import asyncio, os, sys
from app import start
from app.noun import Job
from app.jobs.runner import attempt
from app.settings import Settings

async def work(now):
    print("at work", flush=True)
    await asyncio.Event().wait()

async def main():
    async with start.opened(Settings.load(os.environ)):
        await attempt(Job(sys.argv[1], 60, work))

asyncio.run(main())
"""


async def test_the_job_of_a_killed_node_is_run_by_another(db: None, environment: dict[str, str]) -> None:
    database.freeze(None)
    name, done = unique("job"), []

    async def work(now: int) -> None:
        done.append(now)

    process = python(HOLD, environment, name)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "at work\n"
    assert not await attempt(Job(name, 60, work))
    process.kill()
    process.communicate()
    killed = await database.now()
    while not await attempt(Job(name, 60, work)):
        await asyncio.sleep(0.05)
    assert killed < done[0] <= killed + LEASE + SECOND
