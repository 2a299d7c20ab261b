"""Background work. Every node replays and completes the revocation journal and deletes expired rows; one node at a time runs the
jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from app import database, metrics, nouns, reconcile, replay
from app.audit import checkpoints
from app.clock import MINUTE, SECOND
from app.database.diagnostics import newest_instants
from app.errors import Unavailable
from app.jobs.runner import run_forever
from app.journal import file as journal
from app.peppers import service as peppers

EVERY_SECONDS: Final = 60
CLOCK_SECONDS: Final = 1.0
_log = logging.getLogger("keydesk.housekeeping")


@contextlib.asynccontextmanager
async def housekeeping() -> AsyncIterator[None]:
    """Runs during the block. Several nodes may run it at once: each part is idempotent."""
    tasks = [
        asyncio.create_task(_forever(), name="housekeeping"),
        asyncio.create_task(run_forever(nouns.JOBS), name="jobs"),
        asyncio.create_task(watch_clock(), name="clock"),
        asyncio.create_task(_watch_server(), name="server"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await checkpoints.write_at_stop()


async def tidy() -> None:
    """One round; a part that fails is tried again in the next one and does not affect the others."""
    parts: tuple[Callable[[], Awaitable[object]], ...] = (
        replay.keep_up,
        partial(reconcile.catch_up, journal.current()),
        partial(reconcile.anchor_hourly, journal.current()),
        peppers.watch,
        *nouns.PURGES,
        _measure_ahead,
    )
    for part in parts:
        await _try(part)


async def watch_clock() -> None:
    """Logs and counts when the database's clock goes back by more than a minute relative to this machine's monotonic clock."""
    ahead: int | None = None
    while True:
        with contextlib.suppress(Unavailable):
            now = await database.now() - time.monotonic_ns() // 1000
            if ahead is not None and now < ahead - MINUTE:
                metrics.CLOCK_SET_BACK.inc()
                _log.error("the database's clock went back by %d s", (ahead - now) // SECOND)
            ahead = now
        await asyncio.sleep(CLOCK_SECONDS)


async def _watch_server() -> None:
    """A promoted server may lack the last commits: revocations among them are repeated at once."""
    if journal.current().checked is None:  # a worker: another process replayed the journal before it
        await _try(replay.keep_up)
    while True:
        await asyncio.sleep(CLOCK_SECONDS)
        with contextlib.suppress(Unavailable):
            if await replay.is_elsewhere():
                await _try(replay.keep_up)


async def _try(part: Callable[[], Awaitable[object]]) -> None:
    try:
        await part()
    except Unavailable as failure:
        _log.warning("put off: %s", failure.internal)
    except Exception:
        _log.exception("a part of the housekeeping failed")


async def _measure_ahead() -> None:
    now = await database.now()
    metrics.NEWEST_AHEAD.set(max(0, *(at - now for at in (await newest_instants()).values())) / SECOND)


async def _forever() -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await tidy()
