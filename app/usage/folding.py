"""Keeps reads of long ranges fast, without losing a count: old hours are folded into one row for each day, and past days of a
workspace are added up over its keys. Jobs, under a lease, in short transactions; after a kill, the next process continues."""

from __future__ import annotations

import asyncio
from typing import Final

from app import database
from app.clock import DAY
from app.usage import fold_store
from app.usage.fold_store import HOURS
from app.usage.ranges import first_hour_kept, first_open_day

_KEYS_AT_ONCE: Final = 100
_DAYS_FOUND: Final = 2_000
# At most 23 hours of a day, each with a few permissions and outcomes: some milliseconds with the database's only writer.
_DAYS_AT_ONCE: Final = 3
# Between transactions, so that verifications do not wait for several of them.
_REST_SECONDS: Final = 0.005


async def any_hours(now: int) -> bool:
    """Whether hours are old enough to be folded."""
    return await fold_store.watermark(HOURS) < _hours_end(now)


async def fold_hours(now: int) -> int:
    """Folds hours that nobody can read by hours any more into the first hour of their day; returns how many days of keys.

    Days are the sums of their hours before and after, so no range by days changes.
    """
    since, until, after, folded = await fold_store.watermark(HOURS), _hours_end(now), "", 0
    while keys := await fold_store.keys_after(after, _KEYS_AT_ONCE):
        while found := await fold_store.unfolded(keys, since, until, _DAYS_FOUND):
            for start in range(0, len(found), _DAYS_AT_ONCE):
                async with database.transaction():
                    await fold_store.fold(found[start : start + _DAYS_AT_ONCE])
                await asyncio.sleep(_REST_SECONDS)
            folded += len(found)
        after = keys[-1]
    async with database.transaction():
        await fold_store.advance_watermark(HOURS, until)
    return folded


async def any_days(now: int) -> bool:
    """Whether a workspace has days to be closed, or closed while the clock was ahead."""
    return await fold_store.open_workspace(first_open_day(now)) is not None


async def close_days(now: int) -> int:
    """Adds up past days of each workspace over its keys, a day in a transaction; returns how many.

    What is counted later for a closed day is added to both by the database's triggers.
    """
    before, closed = first_open_day(now), 0
    while workspace_id := await fold_store.open_workspace(before):
        day = await fold_store.watermark(workspace_id) or await fold_store.first_day(workspace_id)
        while day is not None and day < before:
            async with database.transaction():
                await fold_store.close_day(workspace_id, day)
            await asyncio.sleep(_REST_SECONDS)
            day, closed = day + DAY, closed + 1
        async with database.transaction():
            await fold_store.advance_watermark(workspace_id, before)
            await fold_store.reopen(workspace_id, before)
    return closed


def _hours_end(now: int) -> int:
    # A day later than the last range by hours that could begin, for requests that began before midnight.
    return first_hour_kept(now) - DAY
