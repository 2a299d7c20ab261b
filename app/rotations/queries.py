"""Queries for rotations: one, those of a key or a workspace, and those of many keys at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import SECOND
from app.errors import NotFound
from app.keys import store as key_store
from app.keys.key import ApiKey
from app.paging import Page, Window
from app.rotations import store
from app.rotations.rotation import ROTATION_ID, Progress, Rotation, evaluate_progress
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.usage import caller_store

WHAT: Final = "rotation"
# Bounds the age of what only time changes, such as a caller that begins to count as moved.
LOOK_EVERY: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class Relatives:
    """The predecessor and the successor of a key; None where there is none."""

    predecessor: ApiKey | None
    successor: ApiKey | None


async def get(actor: Actor, rotation_id: str) -> Progress:
    """Raises NotFound, also for a rotation of a workspace the actor does not belong to; NotAllowed."""
    workspace_id = await workspace_of(rotation_id)
    try:
        access = await tenancy.reading(actor, None, Action.READ_ROTATIONS, workspace_id=workspace_id)
    except NotFound:
        raise NotFound(WHAT) from None
    return (await progress_of([_found(await store.find(access.workspace.id, rotation_id))], access.now))[0]


async def require(actor: Actor, progress: Progress) -> None:
    """Raises NotFound or NotAllowed if the actor may not read this rotation, or no longer may."""
    await tenancy.reading(actor, None, Action.READ_ROTATIONS, workspace_id=progress.rotation.workspace_id)


async def version_mark(access: Access, progress: Progress) -> object:
    """A cheap version text that changes whenever the progress may have changed, and periodically."""
    access.require(Action.READ_ROTATIONS, progress.rotation)
    now = await database.now()
    passed = [instant is not None and now >= instant for instant in (progress.ready_at, progress.rotation.deadline)]
    return (now // LOOK_EVERY, *passed, *await store.mark(progress.rotation))


async def reread(access: Access, progress: Progress) -> Progress:
    """The current progress of a rotation. Raises NotFound."""
    access.require(Action.READ_ROTATIONS, progress.rotation)
    return (await progress_of([_found(await store.find(access.workspace.id, progress.rotation.id))], await database.now()))[0]


async def of_key(access: Access, key: ApiKey) -> Progress | None:
    """The open rotation of a key, else its latest one, whether as predecessor or as successor; None if it never had one."""
    return (await of_keys(access, [key])).get(key.id)


async def lineage(access: Access, key: ApiKey) -> list[ApiKey]:
    """The lineage of a key: its predecessors, itself and its successors, oldest first."""
    return (await lineages(access, [key]))[key.id]


async def lineages(access: Access, keys: Collection[ApiKey], action: Action = Action.READ_ROTATIONS) -> dict[str, list[ApiKey]]:
    """The lineage of each key, in two statements; every id is in the result."""
    access.require(action, *keys)
    lines = await store.lines_of([key.id for key in keys])
    known = {key.id: key for key in keys}
    others = {key_id for line in lines.values() for key_id in line} - known.keys()
    known |= {key.id: key for key in await key_store.find_many(access.workspace.id, sorted(others))}
    return {
        key_id: sorted((known[each] for each in line if each in known), key=lambda member: (member.created_at, member.id))
        for key_id, line in lines.items()
    }


async def open_rotations(access: Access) -> list[Progress]:
    """A workspace's open rotations, earliest deadline first."""
    access.require(Action.READ_ROTATIONS)
    return await progress_of(await store.open_rotations(access.workspace.id, access.now), access.now)


async def page(access: Access, window: Window, *, open_only: bool = False) -> Page[Progress]:
    """A page of a workspace's rotations, newest first; a position is `started_at` and the id."""
    access.require(Action.READ_ROTATIONS)
    found = await store.page(access.workspace.id, window, access.now, open_only=open_only)
    return found.of(await progress_of(found.items, access.now))


async def count(access: Access, *, open_only: bool = False) -> int:
    """How many rotations a workspace has, all or only open ones."""
    access.require(Action.READ_ROTATIONS)
    return await store.count(access.workspace.id, access.now, open_only=open_only)


async def of_keys(access: Access, keys: Collection[ApiKey]) -> dict[str, Progress]:
    """The open or latest rotation of each key that has one, in a constant number of statements."""
    access.require(Action.READ_ROTATIONS, *keys)
    rotations = await store.latest_of_keys([key.id for key in keys])
    found = await progress_of(set(rotations.values()), access.now) if rotations else []
    by_id = {progress.rotation.id: progress for progress in found}
    return {key_id: by_id[rotation.id] for key_id, rotation in rotations.items()}


async def relatives(access: Access, keys: Collection[ApiKey]) -> dict[str, Relatives]:
    """Predecessor and successor of keys of the workspace; every id is in the result."""
    access.require(Action.READ_ROTATIONS, *keys)
    key_ids = [key.id for key in keys]
    before, after = await store.predecessors(key_ids), await store.successors(key_ids)
    found = await key_store.by_id({*before.values(), *after.values()})
    return {key_id: Relatives(found.get(before.get(key_id, "")), found.get(after.get(key_id, ""))) for key_id in key_ids}


async def progress_of(rotations: Iterable[Rotation], now: int) -> list[Progress]:
    """The progress of rotations, in their order, in a constant number of statements."""
    in_order = list(rotations)
    found = await _read_progress(in_order, now)
    # The keys were read after the rotation. If a key has ended, the rotation may meanwhile have ended or got another successor.
    over = [
        rotation.id for rotation, progress in zip(in_order, found, strict=True) if rotation.ending is None and not progress.is_open
    ]
    fresh = await store.by_id(over)
    changed = {rotation.id: fresh[rotation.id] for rotation in in_order if rotation.id in fresh and fresh[rotation.id] != rotation}
    if not changed:
        return found
    return await progress_of([changed.get(rotation.id, rotation) for rotation in in_order], now)


async def _read_progress(rotations: list[Rotation], now: int) -> list[Progress]:
    key_ids = {key_id for rotation in rotations for key_id in (rotation.predecessor_id, rotation.successor_id)}
    keys, callers = await key_store.by_id(key_ids), await caller_store.of_keys(key_ids)
    dismissed = await store.dismissed([rotation.id for rotation in rotations])
    return [
        evaluate_progress(
            rotation,
            keys[rotation.predecessor_id],
            keys[rotation.successor_id],
            callers.get(rotation.predecessor_id, ()),
            callers.get(rotation.successor_id, ()),
            now,
            dismissed.get(rotation.id, frozenset()),
        )
        for rotation in rotations
    ]


async def workspace_of(rotation_id: str) -> str:
    """Raises NotFound."""
    found = await store.workspace_of(rotation_id) if ids.is_a(ROTATION_ID, rotation_id) else None
    if found is None:
        raise NotFound(WHAT)
    return found


def _found(rotation: Rotation | None) -> Rotation:
    if rotation is None:
        raise NotFound(WHAT)
    return rotation
