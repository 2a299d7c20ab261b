"""Tells webhooks when the derived state of a rotation has changed: nobody changes it, so nobody else could announce it."""

from __future__ import annotations

from app.access.actor import Actor
from app.access.policy import Action
from app.errors import NotFound
from app.rotations import events, store
from app.rotations.finish import load
from app.rotations.queries import progress_of
from app.rotations.rotation import Rotation
from app.tenancy import service as tenancy
from app.tenancy.publication import publish


async def is_any_open(now: int) -> bool:
    """Whether a rotation is open in a workspace that has a webhook."""
    return bool(await store.open_with_webhooks(now, limit=1))


async def announce_states(now: int) -> None:
    """The job: compares the state of each open rotation with the one that was announced before."""
    open_ones = await store.open_with_webhooks(now)
    for found, progress in zip(open_ones, await progress_of([rotation for rotation, _ in open_ones], now), strict=True):
        rotation, announced = found
        if progress.is_open and str(progress.state) != announced:
            await _announce(rotation)


async def _announce(rotation: Rotation) -> None:
    """Decides again under the lock, so that two nodes announce nothing twice."""
    try:
        async with tenancy.changing(Actor.system(), None, Action.READ_ROTATIONS, workspace_id=rotation.workspace_id) as change:
            progress = await load(change, rotation.id)
            before = await store.announced_state(rotation.id)
            if not progress.is_open or str(progress.state) == before:
                return
            await store.set_announced_state(rotation.id, progress.state)
            keys = {"predecessor": progress.predecessor.id, "successor": progress.successor.id}
            await publish(change, events.STATE_CHANGED, rotation.id, before=before, after=str(progress.state), **keys)
    except NotFound:
        return
