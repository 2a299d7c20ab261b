"""Looking at rotations: one, those of a key or a workspace, those of many keys at once, and what revoking would mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import SECOND
from app.errors import NotFound
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import ApiKey
from app.keys.listing import Window
from app.rotations import store
from app.rotations.rotation import Progress, Rotation, progress
from app.tenancy import service as tenancy
from app.usage import callers

WHAT: Final = "rotation"
# Of what only time changes, such as a caller that begins to count as moved.
LOOK_EVERY: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, the newest first, whatever the direction they were fetched in."""

    runs: tuple[Progress, ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class Relatives:
    """The key that a key replaced or was to replace, and the one that replaces it or has; None where there is none."""

    predecessor: ApiKey | None
    successor: ApiKey | None


async def get(actor: Actor, rotation_id: str) -> Progress:
    """Raises NotFound, also for a rotation of a workspace the actor does not belong to; NotAllowed."""
    workspace_id = await workspace_of(rotation_id)
    try:
        access = await tenancy.reading(actor, None, Action.READ_ROTATIONS, workspace_id=workspace_id)
    except NotFound:
        raise NotFound(WHAT) from None
    run = await store.find(access.workspace.id, rotation_id)
    if run is None:
        raise NotFound(WHAT)
    return (await standing([run], await database.now()))[0]


async def require(actor: Actor, run: Progress) -> None:
    """Raises NotFound, NotAllowed when the actor may not, or no longer, look at this run."""
    await tenancy.reading(actor, None, Action.READ_ROTATIONS, workspace_id=run.rotation.workspace_id)


async def mark(run: Progress) -> object:
    """Cheap: what changes whenever the run may stand elsewhere, by what was done or by time, and now and again by itself."""
    now = await database.now()
    passed = [instant is not None and now >= instant for instant in (run.ready_at, run.rotation.deadline)]
    return (now // LOOK_EVERY, *passed, *await store.mark(run.rotation))


async def again(run: Progress) -> Progress:
    """The state of a run, for callers whose access was already checked. Raises NotFound."""
    found = await store.by_id([run.rotation.id])
    if not found:
        raise NotFound(WHAT)
    return (await standing(found.values(), await database.now()))[0]


async def of_key(actor: Actor, key_id: str, *, slug: str | None = None) -> Progress | None:
    """The open run of a key, else its latest one, whether it is the predecessor or the successor; None if it never had one."""
    key = await _key(actor, key_id, slug)
    return (await of_keys([key.id])).get(key.id)


async def lineage(actor: Actor, key_id: str, *, slug: str | None = None) -> list[ApiKey]:
    """The keys that this one came from, itself, and those that came from it: oldest first."""
    key = await _key(actor, key_id, slug)
    found = await key_store.find_many(key.workspace_id, await store.line_of(key.id))
    return sorted(found, key=lambda member: (member.created_at, member.id))


async def open_runs(actor: Actor, slug: str | None) -> list[Progress]:
    """A workspace's open runs, those with the earliest deadline first."""
    access = await tenancy.reading(actor, slug, Action.READ_ROTATIONS)
    now = await database.now()
    return await standing(await store.open_runs(access.workspace.id, now), now)


async def page(actor: Actor, slug: str | None, window: Window, *, open_only: bool = False) -> RunPage:
    """A page of a workspace's runs, the newest first; a place is `started_at` and the id."""
    access = await tenancy.reading(actor, slug, Action.READ_ROTATIONS)
    now = await database.now()
    found = await store.page(access.workspace.id, window, now, open_only=open_only)
    more, runs = len(found) > window.limit, await standing(found[: window.limit], now)
    if window.backwards:
        return RunPage(tuple(reversed(runs)), has_next=window.before is not None, has_previous=more)
    return RunPage(tuple(runs), has_next=more, has_previous=window.after is not None)


async def count(actor: Actor, slug: str | None, *, open_only: bool = False) -> int:
    """How many runs a workspace has, or has open."""
    access = await tenancy.reading(actor, slug, Action.READ_ROTATIONS)
    return await store.count(access.workspace.id, await database.now(), open_only=open_only)


async def of_keys(key_ids: Collection[str]) -> dict[str, Progress]:
    """The open or latest run of keys that the caller has already been let into, in a constant number of statements."""
    runs = await store.latest_of_keys(key_ids)
    found = await standing(set(runs.values()), await database.now()) if runs else []
    by_id = {run.rotation.id: run for run in found}
    return {key_id: by_id[run.id] for key_id, run in runs.items()}


async def relatives(key_ids: Collection[str]) -> dict[str, Relatives]:
    """The neighbours in their lines of keys the caller has already been let into; every id has an answer."""
    before, after = await store.predecessors(key_ids), await store.successors(key_ids)
    found = await key_store.by_id({*before.values(), *after.values()})
    return {key_id: Relatives(found.get(before.get(key_id, "")), found.get(after.get(key_id, ""))) for key_id in key_ids}


async def standing(runs: Iterable[Rotation], now: int) -> list[Progress]:
    """Where runs stand, in their order, in a constant number of statements."""
    wanted = list(runs)
    found = await _judged(wanted, now)
    # The keys were read after the run. A run whose key is over by now may have been ended, or given another successor, between.
    over = [run.id for run, judged in zip(wanted, found, strict=True) if run.ending is None and not judged.is_open]
    fresh = await store.by_id(over)
    changed = {run.id: fresh[run.id] for run in wanted if run.id in fresh and fresh[run.id] != run}
    if not changed:
        return found
    return await standing([changed.get(run.id, run) for run in wanted], now)


async def _judged(runs: list[Rotation], now: int) -> list[Progress]:
    key_ids = {key_id for run in runs for key_id in (run.predecessor_id, run.successor_id)}
    held, seen = await key_store.by_id(key_ids), await callers.of_keys(key_ids)
    dismissed = await store.dismissed([run.id for run in runs])
    return [
        progress(
            run,
            held[run.predecessor_id],
            held[run.successor_id],
            seen[run.predecessor_id],
            seen[run.successor_id],
            now,
            dismissed.get(run.id, frozenset()),
        )
        for run in runs
    ]


async def workspace_of(rotation_id: str) -> str:
    """Raises NotFound."""
    found = await store.workspace_of(rotation_id) if ids.is_a(ids.ROTATION, rotation_id) else None
    if found is None:
        raise NotFound(WHAT)
    return found


async def _key(actor: Actor, key_id: str, slug: str | None) -> ApiKey:
    key = await keys.get(actor, key_id, slug=slug)
    await tenancy.reading(actor, None, Action.READ_ROTATIONS, workspace_id=key.workspace_id)
    return key
