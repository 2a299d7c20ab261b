"""Keeps the request log within its bounds: a job, under a lease, in short transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from app import database
from app.clock import MINUTE
from app.request_log import store
from app.request_log.request import REFUSED_KEPT

_KEYS_AT_ONCE: Final = 20
_ROWS_AT_ONCE: Final = 200
# Between transactions, so that verifications do not wait for several of them.
_REST_SECONDS: Final = 0.005
# A key is looked at if it has requests from this time; the job runs every minute.
_LOOKED_BACK: Final = 3 * MINUTE


async def is_wanted(now: int) -> bool:
    """Whether there is anything to delete, or may be."""
    return await store.is_any_due(now - _LOOKED_BACK, now - REFUSED_KEPT)


async def tidy(now: int) -> None:
    """Deletes refused requests that are too old, all of workspaces that keep no log, and of each key all but the newest."""
    await _repeat(lambda: store.forget_refused(now - REFUSED_KEPT, _ROWS_AT_ONCE))
    await _repeat(lambda: store.forget_switched_off(_ROWS_AT_ONCE))
    after = ""
    while keys := await store.crowded(now - _LOOKED_BACK, after, _KEYS_AT_ONCE):
        async with database.transaction():
            await store.trim(keys)
        after = keys[-1]
        await asyncio.sleep(_REST_SECONDS)


async def _repeat(delete: Callable[[], Awaitable[int]]) -> None:
    deleted = _ROWS_AT_ONCE
    while deleted == _ROWS_AT_ONCE:
        async with database.transaction():
            deleted = await delete()
        await asyncio.sleep(_REST_SECONDS)
