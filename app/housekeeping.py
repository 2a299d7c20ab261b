"""What every node does beside answering: the revocation journal made complete, and what has had its time thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from app.accounts import service as accounts
from app.errors import Unavailable
from app.keys import journal
from app.keys import service as keys
from app.usage import reports

EVERY_SECONDS: Final = 60
_log = logging.getLogger("keydesk.housekeeping")


@contextlib.asynccontextmanager
async def housekeeping() -> AsyncIterator[None]:
    """Runs while the block does. Several nodes may do it at once: each part changes nothing when done twice."""
    task = asyncio.create_task(_for_ever(), name="housekeeping")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def tidy() -> None:
    """One round; a part that fails is tried again in the next one and keeps no other part from its turn."""
    parts: tuple[Callable[[], Awaitable[object]], ...] = (
        journal.current().catch_up,
        keys.forget_old_repeats,
        reports.forget_old,
        accounts.forget_old,
    )
    for part in parts:
        try:
            await part()
        except Unavailable as failure:
            _log.warning("put off: %s", failure.internal)
        except Exception:
            _log.exception("a part of the housekeeping failed")


async def _for_ever() -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await tidy()
