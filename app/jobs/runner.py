"""Runs jobs: every node checks what is due, one of them does it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from app import database
from app.clock import SECOND
from app.errors import Unavailable
from app.jobs import store
from app.noun import Job

LOOK_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 1.0
_log = logging.getLogger("keydesk.jobs")


async def run_forever(jobs: Iterable[Job]) -> None:
    """Runs all jobs concurrently, so that a long one does not delay the others. Ends when it is cancelled."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_forever(job), name=job.name)


async def attempt(job: Job) -> bool:
    """Does a job if it is due and no other node does it; returns whether it did. Raises the errors of the job."""
    now = await database.now()
    if not await store.is_free(job.name, now, job.every_seconds) or not (job.wanted is None or await job.wanted(now)):
        return False
    lease = await store.take(job.name, job.every_seconds)
    if lease is None:
        return False
    await _work(job, lease, await database.now())
    return True


async def _forever(job: Job) -> None:
    while True:
        try:
            await attempt(job)
        except Unavailable as failure:
            _log.warning("the job %s is put off: %s", job.name, failure.internal)
        except Exception:
            _log.exception("the job %s failed", job.name)
        await asyncio.sleep(LOOK_SECONDS)


async def _work(job: Job, lease: int, now: int) -> None:
    """Works and keeps the lease. A node that was asleep for so long that another took the job stops."""
    work = asyncio.ensure_future(job.work(now))
    try:
        while not (await asyncio.wait({work}, timeout=BEAT_SECONDS))[0]:
            renewed = await store.renew(job.name, lease)
            if renewed is None:
                _log.warning("the job %s was taken over by another node", job.name)
                return
            lease = renewed
        await store.give_back(job.name, lease, now + job.every_seconds * SECOND)
        await work
    finally:
        await _stop(work)


async def _stop(work: asyncio.Future[object]) -> None:
    work.cancel()
    await asyncio.wait({work})
    # Retrieved, so that asyncio does not warn about an exception that was never retrieved.
    if not work.cancelled():
        work.exception()
