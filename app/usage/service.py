"""Reading usage: of one key, of many at once, of a workspace. Days and hours are UTC."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from app import clock, database
from app.access.actor import Actor
from app.access.policy import Action
from app.errors import FieldProblem, ValidationFailed
from app.keys import service as keys
from app.pace import unhurried
from app.tenancy import service as tenancy
from app.usage import store
from app.usage.usage import Counts, Granularity, Part, Usage, summarise

DEFAULT_DAYS: Final = 30
MOST_STEPS: Final = 1_000


async def of_key(
    actor: Actor, key_id: str, since: int | None = None, until: int | None = None, granularity: Granularity = Granularity.DAY
) -> Usage:
    """One key's usage; without times the last 30 days. Raises NotFound, NotAllowed, ValidationFailed."""
    key = await keys.get(actor, key_id)
    await tenancy.reading(actor, None, Action.READ_USAGE, workspace_id=key.workspace_id)
    start, end = period(since, until, granularity, await database.now())
    return summarise(await store.parts([key.id], start, end, granularity.length), start, end, granularity)


async def of_workspace(
    actor: Actor, slug: str, since: int | None = None, until: int | None = None, granularity: Granularity = Granularity.DAY
) -> Usage:
    """All keys of a workspace together."""
    access = await tenancy.reading(actor, slug, Action.READ_USAGE)
    start, end = period(since, until, granularity, await database.now())
    found = await store.workspace_parts(access.workspace.id, start, end, granularity.length)
    return summarise(found, start, end, granularity)


async def last_used(actor: Actor, slug: str) -> int | None:
    """When any key of a workspace was last used."""
    return await store.last_used_in((await tenancy.reading(actor, slug, Action.READ_USAGE)).workspace.id)


async def of_keys(key_ids: list[str], since: int | None, until: int | None, granularity: Granularity) -> dict[str, Usage]:
    """Usage of keys that the caller has already been let into, in one statement; every id has an answer."""
    start, end = period(since, until, granularity, await database.now())
    of: dict[str, list[Part]] = defaultdict(list)
    for part in await store.parts(key_ids, start, end, granularity.length):
        of[part.key_id].append(part)
    return {key_id: summarise(of[key_id], start, end, granularity) async for key_id in unhurried(key_ids)}


async def totals(key_ids: list[str], days: int = DEFAULT_DAYS) -> dict[str, Counts]:
    """Requests of the last days, of keys the caller has already been let into; every id has an answer."""
    start, end = period(None, None, Granularity.DAY, await database.now(), days)
    found = await store.totals(key_ids, start, end)
    return {key_id: found.get(key_id, Counts()) for key_id in key_ids}


async def used_permissions(key_ids: list[str], days: int) -> dict[str, frozenset[str]]:
    """The permissions with which each key was successful in the last days; every id has an answer."""
    start, end = period(None, None, Granularity.DAY, await database.now(), days)
    used: dict[str, set[str]] = {key_id: set() for key_id in key_ids}
    for key_id, permission in await store.permissions_used(key_ids, start, end):
        used[key_id].add(permission)
    return {key_id: frozenset(names) for key_id, names in used.items()}


def period(since: int | None, until: int | None, granularity: Granularity, now: int, days: int = DEFAULT_DAYS) -> tuple[int, int]:
    """From the start of a step up to the end of another; today is the last of the default's days. Raises ValidationFailed."""
    for name, instant in (("since", since), ("until", until)):
        if instant is not None and not clock.is_meant(instant):
            raise ValidationFailed(FieldProblem(name, "OUT_OF_RANGE", f"`{name}` lies in the years 1970 to 9000."))
    end = _ceiling(until if until is not None else now + 1, granularity.length)
    start = since if since is not None else end - days * clock.DAY
    start -= start % granularity.length
    if start >= end:
        raise ValidationFailed(FieldProblem("since", "TOO_LATE", "`since` lies after `until`."))
    if (end - start) // granularity.length > MOST_STEPS:
        message = f"That is more than {MOST_STEPS} steps; ask for days, or for a shorter time."
        raise ValidationFailed(FieldProblem("since", "TOO_LONG", message))
    return start, end


def _ceiling(instant: int, step: int) -> int:
    return -(-instant // step) * step
