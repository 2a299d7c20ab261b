"""How runs end: by somebody, by their deadline, or by themselves when one of their keys is over."""

from __future__ import annotations

import logging
from dataclasses import replace

from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import NotFound, Unavailable
from app.keys import service as keys
from app.keys.key import Reason
from app.rotations import store
from app.rotations.reading import WHAT, standing
from app.rotations.rotation import Ending, Outcome, Progress, Rotation
from app.tenancy import service as tenancy
from app.tenancy.service import Change

_log = logging.getLogger("keydesk.rotations")


async def anything_due(now: int) -> bool:
    """Whether `finish_due` has something to do."""
    return await store.is_any_due(now)


async def finish_due(now: int) -> list[Progress]:
    """Ends every run whose deadline has passed and says REVOKE, and writes down the ends that runs came to by themselves.

    For the job. Each run is a change of its own, decided anew under its workspace's lock: done twice it does nothing more.
    """
    ended = []
    for run in await store.due(now):
        try:
            ended += await _finish(run)
        except Unavailable as failure:
            _log.warning("a rotation's end is put off: %s", failure.internal)
        except Exception:
            # One run that cannot be ended keeps no other from its end.
            _log.exception("the rotation %s could not be ended", run.id)
    return ended


async def complete_in(change: Change, run: Progress) -> Progress:
    """Revokes the predecessor inside an open change."""
    await keys.revoke_in(change, run.predecessor, Reason.ROTATED, None)
    return await _ended(change, run, Outcome.COMPLETED)


async def cancel_in(change: Change, run: Progress) -> Progress:
    """Revokes the successor inside an open change."""
    await keys.revoke_in(change, run.successor, Reason.NO_LONGER_NEEDED, "The rotation was cancelled.")
    return await _ended(change, run, Outcome.CANCELLED)


async def write_down(change: Change, run: Progress) -> Progress:
    """Stores and audits an end that was derived: a key expired or was revoked elsewhere. Other runs are left unchanged."""
    stored = await store.find(change.place.id, run.rotation.id)
    if run.rotation.ending is not None and stored is not None and stored.ending is None:
        await _end(replace(change, actor=Actor.system()), run.rotation, run.rotation.ending)
    return run


async def as_stored(change: Change, rotation_id: str) -> Progress:
    """Where a run stands as the change finds it. Raises NotFound."""
    stored = await store.find(change.place.id, rotation_id)
    if stored is None:
        raise NotFound(WHAT)
    return await now_of(change, stored)


async def now_of(change: Change, run: Rotation) -> Progress:
    """Where a run stands at the change's time."""
    return (await standing([run], change.now))[0]


async def _finish(run: Rotation) -> list[Progress]:
    async with tenancy.changing(Actor.system(), None, Action.COMPLETE_ROTATION, workspace_id=run.workspace_id) as change:
        stored = await store.find(run.workspace_id, run.id)
        if stored is None or stored.ending is not None:
            return []
        found = await now_of(change, stored)
        if not found.is_open:
            return [await write_down(change, found)]
        if not found.rotation.is_due(change.now):
            return []
        return [await complete_in(change, found)]


async def _ended(change: Change, run: Progress, outcome: Outcome) -> Progress:
    await _end(change, run.rotation, Ending(change.now, change.actor.ref, outcome))
    return await as_stored(change, run.rotation.id)


async def _end(change: Change, run: Rotation, ending: Ending) -> None:
    await store.end(run.id, ending)
    detail = {"predecessor": run.predecessor_id, "successor": run.successor_id}
    await audit.record(change, f"rotation.{ending.outcome.lower()}", run.id, **detail)
