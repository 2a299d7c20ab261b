"""Reads the usage of one key, of many at once, or of a workspace. Days and hours are UTC."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from app import clock, database
from app.access.policy import Action
from app.errors import FieldProblem, ValidationFailed
from app.keys.key import ApiKey
from app.live import Subject
from app.pace import in_slices
from app.tenancy.service import Access
from app.usage import caller_store, fold_store, store
from app.usage.caller import CallerCount
from app.usage.ranges import HOURS_KEPT_DAYS, MOST_STEPS, first_hour_kept, first_open_day
from app.usage.usage import NONE, Comparison, Counts, Granularity, Part, Point, Totals, Usage, compare, summarise

DEFAULT_DAYS: Final = 30
MOST_CALLERS: Final = 50


async def of_key(
    access: Access, key: ApiKey, since: int | None = None, until: int | None = None, granularity: Granularity = Granularity.DAY
) -> Usage:
    """One key's usage; without times the last 30 days. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE, key)
    start, end = period(since, until, granularity, access.now)
    return summarise(await store.parts([key.id], start, end, granularity.length), start, end, granularity)


async def counts(access: Access, key: ApiKey, since: int, until: int, granularity: Granularity) -> Counts:
    """Those of `of_key`, alone: for pages that look often whether they have changed. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE, key)
    start, end = period(since, until, granularity, access.now)
    return (await store.totals([key.id], start, end, granularity)).get(key.id, Counts())


async def of_workspace(
    access: Access, since: int | None = None, until: int | None = None, granularity: Granularity = Granularity.DAY
) -> Usage:
    """All keys of a workspace together. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE)
    start, end = period(since, until, granularity, access.now)
    return summarise(await _of_all_keys(access, start, start, end, granularity), start, end, granularity)


async def of_workspace_compared(
    access: Access, since: int, until: int, granularity: Granularity = Granularity.DAY
) -> tuple[Usage, Comparison | None]:
    """All keys of a workspace together, and its steps that are over beside as many before them, by one read. None: one of the two
    has no requests, or what came before is not known. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE)
    start, end = period(since, until, granularity, access.now)
    over = min(end, access.now - access.now % granularity.length)
    first = max(start - max(over - start, 0), 0)
    if granularity is Granularity.HOUR and first < first_hour_kept(access.now):
        first = start
    found = await _of_all_keys(access, first, start, end, granularity)
    return summarise(found, start, end, granularity), compare(found, first, start, over, end, granularity)


async def _of_all_keys(access: Access, first: int, start: int, end: int, granularity: Granularity) -> list[Part]:
    closed, open_day = first, first_open_day(access.now)
    if granularity is Granularity.DAY and first < open_day:
        closed = min(max(first, await fold_store.watermark(access.workspace.id)), end, open_day)
    return await store.workspace_parts(access.workspace.id, first, start, closed, end, granularity.length)


async def last_used(access: Access) -> int | None:
    """When any key of a workspace was last used."""
    access.require(Action.READ_USAGE)
    return await store.last_used_in(access.workspace.id)


async def of_keys(
    access: Access, keys: Collection[ApiKey], since: int | None, until: int | None, granularity: Granularity
) -> dict[str, Usage]:
    """Usage of keys of the workspace, in one statement; every id is in the result. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE, *keys)
    key_ids = [key.id for key in keys]
    start, end = period(since, until, granularity, access.now)
    of: dict[str, list[Part]] = defaultdict(list)
    for part in await store.parts(key_ids, start, end, granularity.length):
        of[part.key_id].append(part)
    return {key_id: summarise(of[key_id], start, end, granularity) async for key_id in in_slices(key_ids)}


async def by_day(access: Access, keys: Collection[ApiKey], days: int = DEFAULT_DAYS) -> dict[str, tuple[Point, ...]]:
    """Requests on each of the last days, today included, of keys of the workspace, in one statement; every id is in the result.
    Raises NotAllowed."""
    access.require(Action.READ_USAGE, *keys)
    start, end = period(None, None, Granularity.DAY, access.now, days)
    found = await store.days([key.id for key in keys], start, end)
    steps = range(start, end, clock.DAY)
    return {key.id: tuple(Point(at, found.get((key.id, at), NONE)) for at in steps) for key in keys}


async def all_time(access: Access, keys: Collection[ApiKey]) -> dict[str, Totals]:
    """Everything ever counted, of keys of the workspace, in one statement; every id is in the result. Raises NotAllowed."""
    access.require(Action.READ_USAGE, *keys)
    found = await store.all_time([key.id for key in keys])
    return {key.id: Totals(*found.get(key.id, (Counts(), None)), key.last_used_at) for key in keys}


async def use_so_far(access: Access, key: ApiKey) -> Totals:
    """All requests of a key that are counted yet: those of the last moments may be missing. For streams. Raises NotAllowed."""
    access.require(Action.READ_USAGE, key)
    return await _use_so_far(key)


def watched_use(access: Access, key: ApiKey) -> Subject[Totals]:
    """The use of a key, for streams; its snapshots are `use_so_far`. Raises NotAllowed."""
    access.require(Action.READ_USAGE, key)

    async def version(_: Totals) -> object:
        yesterday = await database.now() // clock.DAY * clock.DAY - clock.DAY
        return yesterday, await store.mark(key.id, yesterday)

    async def load(_: Totals) -> Totals:
        return await _use_so_far(key)

    return Subject(f"use {key.id}", key.workspace_id, version, load, lambda totals: totals.counts)


async def callers_of_workspace(
    access: Access, since: int | None = None, until: int | None = None, granularity: Granularity = Granularity.DAY
) -> list[CallerCount]:
    """The busiest callers of all keys that were seen in the range, at most MOST_CALLERS. Raises NotAllowed, ValidationFailed."""
    access.require(Action.READ_USAGE)
    start, end = period(since, until, granularity, access.now)
    return await caller_store.busiest(access.workspace.id, start, end, MOST_CALLERS)


async def used_permissions(access: Access, keys: Collection[ApiKey], days: int) -> dict[str, frozenset[str]]:
    """The permissions that each key used successfully in the last days; every id is in the result. Raises NotAllowed."""
    access.require(Action.READ_USAGE, *keys)
    key_ids = [key.id for key in keys]
    start, end = period(None, None, Granularity.DAY, access.now, days)
    used: dict[str, set[str]] = {key_id: set() for key_id in key_ids}
    for key_id, permission in await store.permissions_used(key_ids, start, end):
        used[key_id].add(permission)
    return {key_id: frozenset(names) for key_id, names in used.items()}


async def _use_so_far(key: ApiKey) -> Totals:
    counts, last_used_at = await store.counted(key.id)
    return Totals(counts, last_used_at=last_used_at)


def period(since: int | None, until: int | None, granularity: Granularity, now: int, days: int = DEFAULT_DAYS) -> tuple[int, int]:
    """The validated range, widened to whole steps; by default it ends with today. Raises ValidationFailed."""
    for name, instant in (("since", since), ("until", until)):
        if instant is not None and not clock.is_in_range(instant):
            raise ValidationFailed(FieldProblem(name, "OUT_OF_RANGE", f"`{name}` must be in the years 1970 to 9000."))
    end = _ceiling(until if until is not None else now + 1, granularity.length)
    start = since if since is not None else end - days * clock.DAY
    start -= start % granularity.length
    if start >= end:
        raise ValidationFailed(FieldProblem("since", "TOO_LATE", "`since` is after `until`."))
    if (end - start) // granularity.length > MOST_STEPS:
        message = f"That is more than {MOST_STEPS} steps; ask for days, or for a shorter time."
        raise ValidationFailed(FieldProblem("since", "TOO_LONG", message))
    if granularity is Granularity.HOUR and start < first_hour_kept(now):
        message = f"Usage by hours is kept for {HOURS_KEPT_DAYS} days; ask for days, or for a later `since`."
        raise ValidationFailed(FieldProblem("since", "TOO_EARLY", message))
    return start, end


def _ceiling(instant: int, step: int) -> int:
    return -(-instant // step) * step
