"""Use cases of API keys. Every function takes the actor first; every change writes one audit entry.

`create` and `queries` hold the other use cases; all are exported from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from app import catalogue, database
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotAllowed, NotFound, ValidationFailed
from app.journal.lines import key_line
from app.keys import events, store, validation
from app.keys.create import Created, add_in, check, create, forget_old_repeats
from app.keys.key import ApiKey, KeySettings, Reason, Revocation
from app.keys.queries import WHAT, as_not_found, count, find, find_by_secret, find_leaked, found, get, get_many, page, workspace_of
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.versions import require_same

__all__ = [
    "WHAT",
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
    "forget_old_repeats",
    "get",
    "get_many",
    "page",
    "resume",
    "revoke",
    "revoke_all",
    "revoke_in",
    "suspend",
    "suspend_in",
    "update",
]

MOST_AT_ONCE: Final = 100
# The result for one of several keys: the key as it is now, or why it was not revoked.
Revoked: TypeAlias = ApiKey | NotFound | NotAllowed


async def update(
    actor: Actor, key_id: str, edit: Mapping[str, Any], *, slug: str | None = None, expected: str | None = None
) -> ApiKey:
    """Changes the settings that `edit` contains by name, but never the environment. Raises ValidationFailed, Stale if the key is
    no longer the version that was seen, or Conflict for a revoked or expired key: both are final."""
    async with changing(actor, key_id, Action.UPDATE_API_KEY, slug) as (change, key):
        return await edit_in(change, key, edit, expected)


async def edit_in(change: Change, key: ApiKey, edit: Mapping[str, Any], expected: str | None = None) -> ApiKey:
    """Like `update`, inside an open change, for the key as read in it."""
    new = _edited(key, edit, change.now, expected)
    if changed := key.changes(new):
        await store.update_settings(key.id, new)
        await audit.record(change, events.UPDATED, key.id, **changed)
    return replace(key, **new.values())


async def check_update(actor: Actor, key_id: str, edit: Mapping[str, Any], *, expected: str | None = None) -> KeySettings:
    """The key as `update` would change it, without changing it. Raises the same errors as `update`."""
    key = await get(actor, key_id, action=Action.UPDATE_API_KEY)
    return _edited(key, edit, await database.now(), expected)


async def suspend(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Suspends a key: it is refused from the next request on until it is resumed. Idempotent."""
    async with changing(actor, key_id, Action.SUSPEND_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        return key if key.suspended_at is not None else await suspend_in(change, key)


async def suspend_in(change: Change, key: ApiKey, **detail: object) -> ApiKey:
    """Suspends a key that is active, inside an open change; `detail`: additional data of the audit entry."""
    await store.update(key.id, {"suspended_at": change.now})
    await audit.record(change, events.SUSPENDED, key.id, name=key.name, **detail)
    return replace(key, suspended_at=change.now)


async def resume(actor: Actor, key_id: str, *, slug: str | None = None, expected: str | None = None) -> ApiKey:
    """Resumes a key: it works again from the next request on. Raises Stale if this is no longer the suspension that was seen."""
    async with changing(actor, key_id, Action.RESUME_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        if key.suspended_at is not None:
            require_same(expected, key.suspension_version)
            await store.update(key.id, {"suspended_at": None})
            await audit.record(change, events.RESUMED, key.id, name=key.name)
            key = replace(key, suspended_at=None)
        return key


async def revoke(actor: Actor, key_id: str, reason: Reason, note: str | None = None, *, slug: str | None = None) -> ApiKey:
    """Revokes a key, immediately and permanently. Idempotent: repeated, it returns the first revocation."""
    async with changing(actor, key_id, Action.REVOKE_API_KEY, slug) as (change, key):
        if key.revocation is not None:
            return key
        return await revoke_in(change, key, reason, validation.note(note))


async def revoke_all(actor: Actor, key_ids: Sequence[str], reason: Reason, note: str | None = None) -> list[Revoked]:
    """Revokes several keys: one result for each, in their order. Keys of one workspace are revoked together or not at all.

    Raises ValidationFailed for none or more than MOST_AT_ONCE, and NotAllowed if that is the answer for all of them.
    """
    if not key_ids:
        raise ValidationFailed(FieldProblem("ids", "REQUIRED", "Name the keys that are to be revoked."))
    if len(key_ids) > MOST_AT_ONCE:
        raise ValidationFailed(FieldProblem("ids", "TOO_MANY", f"At most {MOST_AT_ONCE} keys at once, please."))
    homes, answers = await store.workspaces_of(key_ids), dict[str, Revoked]()
    for home in dict.fromkeys(homes.values()):
        theirs = [key_id for key_id in dict.fromkeys(key_ids) if homes.get(key_id) == home]
        answers |= await _revoke_of(actor, home, theirs, reason, validation.note(note))
    refusals = [answer for answer in answers.values() if isinstance(answer, NotAllowed)]
    if len(refusals) == len(set(key_ids)):
        raise refusals[0]
    return [answers.get(key_id) or NotFound(WHAT) for key_id in key_ids]


@contextlib.asynccontextmanager
async def changing(actor: Actor, key_id: str, action: Action, slug: str | None = None) -> AsyncIterator[tuple[Change, ApiKey]]:
    """The transaction in which a key changes, and the key as read under the lock. Raises NotFound, NotAllowed."""
    workspace_id = None if slug else await workspace_of(key_id)
    async with contextlib.AsyncExitStack() as stack:
        with as_not_found():
            door = tenancy.changing(actor, slug, action, workspace_id=workspace_id)
            change = await stack.enter_async_context(door)
        yield change, found(await store.find(change.workspace.id, key_id))


async def revoke_in(
    change: Change, key: ApiKey, reason: Reason, note: str | None, *, at: int | None = None, **detail: object
) -> ApiKey:
    """Revokes inside an open change, which writes to the journal after its commit.

    `at`: the original time of revocation, from the journal; `detail`: additional data of the audit entry.
    """
    if at is None:
        change.journal.append(key_line((key.id, change.now, str(reason))))
    by, at = change.actor.ref, change.now if at is None else at
    values = {
        "revoked_at": at,
        "revoked_by_kind": str(by.kind),
        "revoked_by_id": by.id,
        "revoked_by_name": by.name,
        "revocation_reason": str(reason),
        "revocation_note": note,
    }
    await store.update(key.id, values)
    await audit.record(change, events.REVOKED, key.id, name=key.name, reason=str(reason), note=note, **detail)
    return replace(key, revocation=Revocation(at, by, reason, note))


async def _revoke_of(actor: Actor, workspace_id: str, key_ids: list[str], reason: Reason, note: str | None) -> dict[str, Revoked]:
    """Revokes keys of one workspace in one change; nothing if the actor does not belong to that workspace."""
    try:
        async with tenancy.changing(actor, None, Action.REVOKE_API_KEY, workspace_id=workspace_id) as change:
            before = {key.id: key for key in await store.find_many(change.workspace.id, key_ids)}
            after = {key_id: await _revoked(change, before[key_id], reason, note) for key_id in key_ids if key_id in before}
    except NotFound:
        return {}
    except NotAllowed as refusal:
        return dict.fromkeys(key_ids, refusal)
    return {**after}


async def _revoked(change: Change, key: ApiKey, reason: Reason, note: str | None) -> ApiKey:
    return key if key.revocation is not None else await revoke_in(change, key, reason, note)


def _edited(key: ApiKey, edit: Mapping[str, Any], now: int, expected: str | None) -> KeySettings:
    """The new settings of the key, normalized. Raises the same errors as `update`."""
    _refuse_over(key, now)
    asked = replace(key.settings, **{**edit, "environment": key.environment})
    new = validation.checked(asked, catalogue.current(), now, of=key)
    # A repeated request finds nothing left to change.
    if key.changes(new):
        require_same(expected, key.version)
    return new


def _refuse_over(key: ApiKey, now: int) -> None:
    if key.is_over(now):
        raise Conflict(f"This key is {key.status(now).lower()}, which is final. Create a new one.")
