"""Use cases of API keys. Every function takes the actor first; every change writes one audit entry.

`create`, `queries` and `several` hold the other use cases, `changes` what happens inside a change; all are exported from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from app import catalogue, database
from app.access.actor import Actor
from app.access.policy import Action
from app.keys import store, validation
from app.keys.changes import edit_in, edited, make_active, make_revoked, make_suspended, revoke_every, revoke_in, suspend_in
from app.keys.create import Created, add_in, check, create, forget_old_repeats
from app.keys.key import ApiKey, KeySettings, Reason
from app.keys.queries import (
    WHAT,
    as_not_found,
    count,
    find,
    find_by_secret,
    find_leaked,
    find_many,
    found,
    get,
    get_many,
    page,
    workspace_of,
)
from app.keys.several import MOST_AT_ONCE, Changed, resume_all, revoke_all, suspend_all, update_all
from app.tenancy import service as tenancy
from app.tenancy.service import Change

__all__ = [
    "MOST_AT_ONCE",
    "WHAT",
    "Changed",
    "Created",
    "add_in",
    "changing",
    "check",
    "check_update",
    "count",
    "create",
    "edit_in",
    "find",
    "find_by_secret",
    "find_leaked",
    "find_many",
    "forget_old_repeats",
    "get",
    "get_many",
    "page",
    "resume",
    "resume_all",
    "revoke",
    "revoke_all",
    "revoke_every",
    "revoke_in",
    "suspend",
    "suspend_all",
    "suspend_in",
    "update",
    "update_all",
]


async def update(
    actor: Actor, key_id: str, edit: Mapping[str, Any], *, slug: str | None = None, expected: str | None = None
) -> ApiKey:
    """Changes the settings that `edit` contains by name, but never the environment. Raises ValidationFailed, Stale if the key is
    no longer the version that was seen, or Conflict for a revoked or expired key: both are final."""
    async with changing(actor, key_id, Action.UPDATE_API_KEY, slug) as (change, key):
        return await edit_in(change, key, edit, expected)


async def check_update(actor: Actor, key_id: str, edit: Mapping[str, Any], *, expected: str | None = None) -> KeySettings:
    """The key as `update` would change it, without changing it. Raises the same errors as `update`."""
    key = await get(actor, key_id, action=Action.UPDATE_API_KEY)
    return await edited(key, edit, catalogue.current(), await database.now(), expected)


async def suspend(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Suspends a key: it is refused from the next request on until it is resumed. Idempotent. Raises Conflict if it is over."""
    async with changing(actor, key_id, Action.SUSPEND_API_KEY, slug) as (change, key):
        return await make_suspended(change, key)


async def resume(actor: Actor, key_id: str, *, slug: str | None = None, expected: str | None = None) -> ApiKey:
    """Resumes a key: it works again from the next request on. Raises Stale if this is no longer the suspension that was seen."""
    async with changing(actor, key_id, Action.RESUME_API_KEY, slug) as (change, key):
        return await make_active(change, key, expected)


async def revoke(actor: Actor, key_id: str, reason: Reason, note: str | None = None, *, slug: str | None = None) -> ApiKey:
    """Revokes a key, immediately and permanently. Idempotent: repeated, it returns the first revocation."""
    async with changing(actor, key_id, Action.REVOKE_API_KEY, slug) as (change, key):
        return await make_revoked(change, key, reason, validation.note(note))


@contextlib.asynccontextmanager
async def changing(actor: Actor, key_id: str, action: Action, slug: str | None = None) -> AsyncIterator[tuple[Change, ApiKey]]:
    """The transaction in which a key changes, and the key as read under the lock. Raises NotFound, NotAllowed."""
    workspace_id = None if slug else await workspace_of(key_id)
    async with contextlib.AsyncExitStack() as stack:
        with as_not_found():
            door = tenancy.changing(actor, slug, action, workspace_id=workspace_id)
            change = await stack.enter_async_context(door)
        yield change, found(await store.find(change.workspace.id, key_id))
