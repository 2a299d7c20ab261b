"""Another key in place of one that nobody can have the secret of: a lost answer locks nobody out, and there are never two."""

from __future__ import annotations

from typing import Final

from app import catalogue
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import ApiKey, Reason, Status
from app.keys.reading import found
from app.keys.repeat import Repeat
from app.keys.rules import KeyInput
from app.keys.service import Created
from app.rotations import store
from app.rotations.ending import now_of, write_down
from app.rotations.rotation import Progress
from app.tenancy.service import Change

# A run's successor is replaced so often at most: every time leaves a revoked key and entries in the audit log behind.
MOST_REPLACEMENTS: Final = 20
_NOTE: Final = "Its secret may have been lost; another took its place."
_REPLACED: Final = "rotation.successor_replaced"


async def replace_unused(actor: Actor, key_id: str, *, slug: str | None = None) -> Created:
    """A key like this one, which is revoked; in an open run the new one is its successor. Needs no free slot of the plan.

    Repeated by the same actor it answers the key that took this one's place, without its secret. Raises NotFound, or Conflict
    for a key that has been used, is not active, is itself being replaced, or is no longer offered.
    """
    async with keys.changing(actor, key_id, Action.CREATE_API_KEY, slug) as (change, key):
        repeat = Repeat.by(change, "replaceUnusedKey", key.id, [])
        if made_before := await repeat.find_result(change):
            return Created(found(await key_store.find(change.place.id, made_before)), None)
        if key.status(change.now) is not Status.ACTIVE:
            raise Conflict(f"This key is {key.status(change.now).lower()}; only an active key is replaced.")
        if await key_store.lock_use(key.id) is not None:
            raise Conflict("This key has been used, so somebody has its secret. Rotate or revoke it instead.")
        run = await open_run(change, key)
        if run is not None and run.predecessor.id == key.id:
            raise Conflict("This key is being rotated. Finish or cancel that first.")
        made = await replace_successor(change, run) if run else await _replace(change, key)
        await repeat.remember(change, made.key.id)
        return made


async def replace_successor(change: Change, run: Progress) -> Created:
    """Another successor with the settings of the one that goes. The run moves on to it before the old one is revoked.

    Raises Conflict when that was done MOST_REPLACEMENTS times.
    """
    if await audit.times(change, _REPLACED, run.rotation.id) >= MOST_REPLACEMENTS:
        raise Conflict(f"The new key was replaced {MOST_REPLACEMENTS} times. Cancel this rotation and begin another.")
    made = await keys.add_in(change, like(run.successor), line_started_at=run.successor.born)
    await store.set_successor(run.rotation.id, made.key.id)
    await keys.revoke_in(change, run.successor, Reason.NO_LONGER_NEEDED, _NOTE)
    detail = {"before": run.successor.id, "after": made.key.id}
    await audit.record(change, _REPLACED, run.rotation.id, successor=detail)
    return made


async def open_run(change: Change, key: ApiKey) -> Progress | None:
    """The open run of a key. Runs that have come to their end by themselves are written down on this occasion."""
    for stored in await store.unended(key.id):
        run = await write_down(change, await now_of(change, stored))
        if run.is_open:
            return run
    return None


def like(key: ApiKey) -> KeyInput:
    """What a key in place of this one is to be. Raises Conflict if the catalogue no longer offers it."""
    known = catalogue.current()
    permissions = tuple(name for name in key.permissions if name in known.permissions)
    if key.environment not in known.environments or not permissions:
        raise Conflict("What this key is for is no longer offered, so no key like it can be made. Create another one.")
    return KeyInput(key.name, key.environment, permissions, key.expires_at, key.allowed_ips)


async def _replace(change: Change, key: ApiKey) -> Created:
    made = await keys.add_in(change, like(key), line_started_at=key.born)
    await keys.revoke_in(change, key, Reason.NO_LONGER_NEEDED, _NOTE)
    return made
