"""Changes of a key inside an open change: what use cases for one key and for several, rotations and alerts have in common.

Each raises its errors before it writes anything, so that one key's refusal leaves the other keys of a change as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app import catalogue
from app.audit import service as audit
from app.catalogue import Catalogue
from app.errors import Conflict
from app.journal.lines import key_line
from app.keys import events, owners, store, validation
from app.keys.key import ApiKey, KeySettings, Reason, Revocation
from app.tenancy.service import Change
from app.versions import require_same


async def edit_in(change: Change, key: ApiKey, edit: Mapping[str, Any], expected: str | None = None) -> ApiKey:
    """Changes the settings that `edit` contains by name. Raises ValidationFailed, Stale or Conflict as `edited` does."""
    new = await edited(key, edit, catalogue.current(), change.now, expected)
    if changed := key.changes(new):
        await store.update_settings(key.id, new)
        await audit.record(change, events.UPDATED, key.id, **changed)
    return replace(key, **new.values())


async def edited(key: ApiKey, edit: Mapping[str, Any], known: Catalogue, now: int, expected: str | None = None) -> KeySettings:
    """The new settings of the key, normalized; its environment never changes.

    Raises ValidationFailed, Stale if the key is no longer the version that was seen, or Conflict if it is over.
    """
    refuse_over(key, now)
    asked = replace(key.settings, **{**edit, "environment": key.environment})
    new = validation.checked(await owners.known(asked, key.workspace_id, of=key), known, now, of=key)
    # A repeated request finds nothing left to change.
    if key.changes(new):
        require_same(expected, key.version)
    return new


async def make_suspended(change: Change, key: ApiKey) -> ApiKey:
    """Suspends a key unless it is suspended already. Raises Conflict if it is over."""
    refuse_over(key, change.now)
    return key if key.suspended_at is not None else await suspend_in(change, key)


async def suspend_in(change: Change, key: ApiKey, **detail: object) -> ApiKey:
    """Suspends a key that is active; `detail`: additional data of the audit entry."""
    await store.update(key.id, {"suspended_at": change.now})
    await audit.record(change, events.SUSPENDED, key.id, name=key.name, **detail)
    return replace(key, suspended_at=change.now)


async def make_active(change: Change, key: ApiKey, expected: str | None = None) -> ApiKey:
    """Resumes a key unless it is active already. Raises Conflict if it is over, or Stale if this is no longer the suspension that
    was seen."""
    refuse_over(key, change.now)
    if key.suspended_at is None:
        return key
    require_same(expected, key.suspension_version)
    await store.update(key.id, {"suspended_at": None})
    await audit.record(change, events.RESUMED, key.id, name=key.name)
    return replace(key, suspended_at=None)


async def make_revoked(change: Change, key: ApiKey, reason: Reason, note: str | None) -> ApiKey:
    """Revokes a key unless it is revoked already, which its first revocation then says. `note` is normalized."""
    return key if key.revocation is not None else await revoke_in(change, key, reason, note)


async def revoke_in(
    change: Change, key: ApiKey, reason: Reason, note: str | None, *, at: int | None = None, **detail: object
) -> ApiKey:
    """Revokes a key; the change writes to the journal after its commit.

    `at`: the original time of revocation, from the journal; `detail`: additional data of the audit entry.
    """
    if at is None:
        change.journal.append(key_line((key.id, change.now, str(reason))))
    revocation = Revocation(change.now if at is None else at, change.actor.ref, reason, note)
    await store.update(key.id, _columns(revocation))
    await audit.record(change, events.REVOKED, key.id, name=key.name, reason=str(reason), note=note, **detail)
    return replace(key, revocation=revocation)


async def revoke_every(change: Change, note: str) -> int:
    """Revokes all keys of the workspace that is deleted, whose audit entry says so; returns how many."""
    reason = Reason.NO_LONGER_NEEDED
    ended = await store.revoke_every(change.workspace.id, _columns(Revocation(change.now, change.actor.ref, reason, note)))
    change.journal.extend(key_line((key_id, change.now, str(reason))) for key_id in ended)
    return len(ended)


def _columns(revocation: Revocation) -> dict[str, Any]:
    by = revocation.by
    return {
        "revoked_at": revocation.at,
        "revoked_by_kind": str(by.kind),
        "revoked_by_id": by.id,
        "revoked_by_name": by.name,
        "revocation_reason": str(revocation.reason),
        "revocation_note": revocation.note,
    }


def refuse_over(key: ApiKey, now: int) -> None:
    """Raises Conflict for a key that can never be used again."""
    if key.is_over(now):
        raise Conflict(f"This key is {key.status(now).lower()}, which is final. Create a new one.")
