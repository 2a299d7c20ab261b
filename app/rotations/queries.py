"""Queries for rotations: one, those of a key or a workspace, and those of many keys at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import SECOND
from app.errors import NotFound
from app.keys import store as key_store
from app.keys.key import ApiKey
from app.live import Subject
from app.paging import Page, Window
from app.rotations import lineage_store, store
from app.rotations.rotation import ROTATION_ID, Progress, Rotation, evaluate_progress
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.usage import caller_store
from app.usage.caller import Caller

WHAT: Final = "rotation"
# Bounds the age of what only time changes, such as a caller that begins to count as moved.
LOOK_EVERY: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class Relatives:
    """The predecessor and the successor of a key; None where there is none."""

    predecessor: ApiKey | None
    successor: ApiKey | None


@dataclass(frozen=True, slots=True)
class Succession:
    """A key's lineage, oldest first; its open rotation, else its latest one, None if it never had one; and its callers, newest
    first."""

    line: list[ApiKey]
    progress: Progress | None
    callers: list[Caller]


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


def watched(access: Access, progress: Progress, shown_part: Callable[[Progress], object]) -> Subject[Progress]:
    """A rotation, for streams that show this of it."""
    # Pages and subscriptions show different parts.
    name = f"{shown_part.__module__} {progress.rotation.id}"
    version, load = functools.partial(version_mark, access), functools.partial(reread, access)
    return Subject(name, progress.rotation.workspace_id, version, load, shown_part)


async def of_key(access: Access, key: ApiKey) -> Progress | None:
    """The open rotation of a key, else its latest one, whether as predecessor or as successor; None if it never had one."""
    return (await of_keys(access, [key])).get(key.id)


async def succession(access: Access, key: ApiKey) -> Succession:
    """What came before a key and comes after it, and who uses it, in four statements, none of which reads the key again."""
    access.require(Action.READ_ROTATIONS, key)
    access.require(Action.READ_USAGE, key)
    line, rotations = await lineage_store.line_of(key.id)
    latest = [rotation for rotation in rotations if key.id in rotation.key_ids][-1:]
    key_ids = {key.id}.union(*(rotation.key_ids for rotation in latest))
    known = await _with_others(access, [key], line | key_ids)
    callers = await caller_store.of_keys(key_ids)
    progress = await _evaluated(latest, known, callers, access.now)
    return Succession(_oldest_first(known, line), progress[0] if progress else None, callers.get(key.id, []))


async def lineages(access: Access, keys: Collection[ApiKey], action: Action = Action.READ_ROTATIONS) -> dict[str, list[ApiKey]]:
    """The lineage of each key, its predecessors, itself and its successors, oldest first, in two statements; every id is in the
    result."""
    access.require(action, *keys)
    lines = await lineage_store.lines_of([key.id for key in keys])
    known = await _with_others(access, keys, {key_id for line in lines.values() for key_id in line})
    return {key_id: _oldest_first(known, line) for key_id, line in lines.items()}


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
    before, after = await lineage_store.predecessors(key_ids), await lineage_store.successors(key_ids)
    found = await key_store.by_id({*before.values(), *after.values()})
    return {key_id: Relatives(found.get(before.get(key_id, "")), found.get(after.get(key_id, ""))) for key_id in key_ids}


async def progress_of(rotations: Iterable[Rotation], now: int) -> list[Progress]:
    """The progress of rotations, in their order, in a constant number of statements."""
    in_order = list(rotations)
    key_ids = {key_id for rotation in in_order for key_id in rotation.key_ids}
    return await _evaluated(in_order, await key_store.by_id(key_ids), await caller_store.of_keys(key_ids), now)


async def _evaluated(
    rotations: list[Rotation], keys: Mapping[str, ApiKey], callers: Mapping[str, Sequence[Caller]], now: int
) -> list[Progress]:
    """The progress of rotations with these keys and their callers."""
    dismissed = await store.dismissed([rotation.id for rotation in rotations])
    found = [_progress(rotation, keys, callers, dismissed, now) for rotation in rotations]
    # Keys are read after the rotation. If one has ended, the rotation may meanwhile have ended or got another successor.
    over = [
        rotation.id for rotation, progress in zip(rotations, found, strict=True) if rotation.ending is None and not progress.is_open
    ]
    fresh = await store.by_id(over)
    changed = {rotation.id: fresh[rotation.id] for rotation in rotations if rotation.id in fresh and fresh[rotation.id] != rotation}
    if not changed:
        return found
    return await progress_of([changed.get(rotation.id, rotation) for rotation in rotations], now)


def _progress(
    rotation: Rotation,
    keys: Mapping[str, ApiKey],
    callers: Mapping[str, Sequence[Caller]],
    dismissed: Mapping[str, frozenset[str]],
    now: int,
) -> Progress:
    old, new = rotation.key_ids
    on_old, on_new = callers.get(old, ()), callers.get(new, ())
    return evaluate_progress(rotation, keys[old], keys[new], on_old, on_new, now, dismissed.get(rotation.id, frozenset()))


async def _with_others(access: Access, keys: Collection[ApiKey], key_ids: Collection[str]) -> dict[str, ApiKey]:
    """The keys with these ids by id: the given ones, and the others as they are read now."""
    known = {key.id: key for key in keys}
    others = await key_store.find_many(access.workspace.id, sorted(set(key_ids) - known.keys()))
    return known | {key.id: key for key in others}


def _oldest_first(known: Mapping[str, ApiKey], line: Collection[str]) -> list[ApiKey]:
    return sorted((known[each] for each in line if each in known), key=lambda key: (key.created_at, key.id))


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
