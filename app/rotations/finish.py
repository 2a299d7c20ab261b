"""Ends rotations: by an actor, by their deadline, or because one of their keys has ended."""

from __future__ import annotations

import logging
from dataclasses import replace

from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import NotFound, Unavailable
from app.keys import service as keys
from app.keys.key import Reason
from app.rotations import events, store
from app.rotations.queries import WHAT, progress_of
from app.rotations.rotation import Ending, Outcome, Progress, Rotation
from app.tenancy import service as tenancy
from app.tenancy.service import Change

_log = logging.getLogger("keydesk.rotations")


async def anything_due(now: int) -> bool:
    """Whether `finish_due` would change anything."""
    return await store.is_any_due(now)


async def finish_due(now: int) -> list[Progress]:
    """Ends every rotation whose deadline has passed with REVOKE, and stores derived ends.

    For the job. Each rotation is a separate change, decided again under its workspace's lock, so that a second run changes nothing.
    """
    ended = []
    for rotation in await store.due(now):
        try:
            ended += await _finish(rotation)
        except Unavailable as failure:
            _log.warning("a rotation's end is put off: %s", failure.internal)
        except Exception:
            # A failure in one rotation does not affect the others.
            _log.exception("the rotation %s could not be ended", rotation.id)
    return ended


async def complete_in(change: Change, progress: Progress) -> Progress:
    """Revokes the predecessor inside an open change."""
    revoked = await keys.revoke_in(change, progress.predecessor, Reason.ROTATED, None)
    return await _end_as(change, replace(progress, predecessor=revoked), Outcome.COMPLETED)


async def cancel_in(change: Change, progress: Progress) -> Progress:
    """Revokes the successor inside an open change."""
    revoked = await keys.revoke_in(change, progress.successor, Reason.NO_LONGER_NEEDED, "The rotation was cancelled.")
    return await _end_as(change, replace(progress, successor=revoked), Outcome.CANCELLED)


async def store_derived_end(change: Change, progress: Progress) -> Progress:
    """Stores and audits an end that was derived: a key expired or was revoked elsewhere. Other rotations are left unchanged."""
    if progress.rotation.ending is not None:
        stored = await store.find(change.workspace.id, progress.rotation.id)
        if stored is not None and stored.ending is None:
            await _end(replace(change, actor=Actor.system()), progress.rotation, progress.rotation.ending)
    return progress


async def load(change: Change, rotation_id: str) -> Progress:
    """The progress of a rotation, read inside the change. Raises NotFound."""
    stored = await store.find(change.workspace.id, rotation_id)
    if stored is None:
        raise NotFound(WHAT)
    return await progress_at_change(change, stored)


async def progress_at_change(change: Change, rotation: Rotation) -> Progress:
    """The progress of a rotation at the change's time."""
    return (await progress_of([rotation], change.now))[0]


async def _finish(rotation: Rotation) -> list[Progress]:
    async with tenancy.changing(Actor.system(), None, Action.COMPLETE_ROTATION, workspace_id=rotation.workspace_id) as change:
        stored = await store.find(rotation.workspace_id, rotation.id)
        if stored is None or stored.ending is not None:
            return []
        found = await progress_at_change(change, stored)
        if not found.is_open:
            return [await store_derived_end(change, found)]
        if not found.rotation.is_due(change.now):
            return []
        return [await complete_in(change, found)]


async def _end_as(change: Change, progress: Progress, outcome: Outcome) -> Progress:
    ending = Ending(change.now, change.actor.ref, outcome)
    await _end(change, progress.rotation, ending)
    return progress.ended(ending)


async def _end(change: Change, rotation: Rotation, ending: Ending) -> None:
    await store.end(rotation.id, ending)
    detail = {"predecessor": rotation.predecessor_id, "successor": rotation.successor_id}
    await audit.record(change, events.OF_OUTCOME[ending.outcome], rotation.id, **detail)
