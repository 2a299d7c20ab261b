"""Replaces a key whose secret was lost with its response: no one is locked out, and only one of the two keys lives."""

from __future__ import annotations

import dataclasses
from typing import Final

from app import catalogue
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.catalogue import Catalogue
from app.errors import Conflict
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.idempotency import IdempotencyKey
from app.keys.key import ApiKey, KeySettings, Reason, Status
from app.keys.queries import found
from app.keys.service import Created
from app.rotations import events, store
from app.rotations.finish import progress_at_change, store_derived_end
from app.rotations.rotation import Progress
from app.tenancy.service import Change
from app.usage import log as usage_log

# How often a rotation's successor can be replaced: each time leaves a revoked key and audit entries.
MOST_REPLACEMENTS: Final = 20
_NOTE: Final = "Its secret may have been lost; another took its place."


async def replace_unused(actor: Actor, key_id: str, *, slug: str | None = None) -> Created:
    """Revokes this key and creates one like it, which takes its role in an open rotation. Needs no room in the plan.

    Repeated by the same actor, it returns the replacement without its secret. Raises NotFound, or Conflict
    for a key that has been used, was imported, is not active, is itself being replaced, or is no longer offered.
    """
    async with keys.changing(actor, key_id, Action.CREATE_API_KEY, slug) as (change, key):
        repeat = IdempotencyKey.by(change, "replaceUnusedKey", key.id, [])
        if made_before := await repeat.find_result(change):
            return Created(found(await key_store.find(change.workspace.id, made_before)), None, change.now)
        if key.status(change.now) is not Status.ACTIVE:
            raise Conflict(f"This key is {key.status(change.now).lower()}; only an active key is replaced.")
        if await usage_log.lock_use(key.id) is not None:
            raise Conflict("This key has been used, so someone has its secret. Rotate or revoke it instead.")
        if await key_store.is_imported(key.id):
            raise Conflict("This key was imported, so someone has its secret. Rotate or revoke it instead.")
        progress = await open_run(change, key)
        if progress is not None and progress.predecessor.id == key.id:
            raise Conflict("This key is being rotated. Finish or cancel that first.")
        made = await replace_successor(change, progress) if progress else await _replace(change, key)
        await repeat.remember(change, made.key.id)
        return made


async def replace_successor(change: Change, progress: Progress) -> Created:
    """Creates another successor with the same settings. The rotation refers to it before the old one is revoked.

    Raises Conflict after MOST_REPLACEMENTS replacements.
    """
    if await audit.times(change, events.SUCCESSOR_REPLACED, progress.rotation.id) >= MOST_REPLACEMENTS:
        raise Conflict(f"The new key was replaced {MOST_REPLACEMENTS} times. Cancel this rotation and begin another.")
    settings = settings_like(progress.successor, catalogue.current())
    made = await keys.add_in(change, settings, line_started_at=progress.successor.lifetime_started_at)
    await store.set_successor(progress.rotation.id, made.key.id)
    await keys.revoke_in(change, progress.successor, Reason.NO_LONGER_NEEDED, _NOTE)
    detail = {"before": progress.successor.id, "after": made.key.id}
    await audit.record(change, events.SUCCESSOR_REPLACED, progress.rotation.id, successor=detail)
    return made


async def open_run(change: Change, key: ApiKey) -> Progress | None:
    """The open rotation of a key. Also stores derived ends of its earlier rotations."""
    for stored in await store.unended(key.id):
        progress = await store_derived_end(change, await progress_at_change(change, stored))
        if progress.is_open:
            return progress
    return None


def settings_like(key: ApiKey, known: Catalogue) -> KeySettings:
    """The settings for a replacement of this key. Raises Conflict if the catalogue no longer offers it."""
    permissions = tuple(name for name in key.permissions if name in known.permissions)
    if key.environment not in known.environments or not permissions:
        raise Conflict("What this key is for is no longer offered, so no key like it can be made. Create another one.")
    return dataclasses.replace(key.settings, permissions=permissions)


async def _replace(change: Change, key: ApiKey) -> Created:
    made = await keys.add_in(change, settings_like(key, catalogue.current()), line_started_at=key.lifetime_started_at)
    await keys.revoke_in(change, key, Reason.NO_LONGER_NEEDED, _NOTE)
    return made
