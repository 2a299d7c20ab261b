"""What can be done with API keys. Every function takes who asks first; every change leaves one audit entry with it.

How they are made is in `creating`, looking at them in `reading`; all can be reached from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from app import catalogue, database
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotAllowed, NotFound, ValidationFailed
from app.journal.lines import key_line
from app.keys import rules, store
from app.keys.creating import Created, add_in, check, create, forget_old_repeats, shape
from app.keys.key import ApiKey, Reason, Revocation
from app.keys.reading import WHAT, as_not_found, by_id, count, find_by_secret, found, get, page, workspace_of
from app.keys.rules import KeyInput
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.versions import require_same

__all__ = [
    "WHAT",
    "Created",
    "KeyEdit",
    "add_in",
    "by_id",
    "changing",
    "check",
    "check_update",
    "count",
    "create",
    "find_by_secret",
    "forget_old_repeats",
    "get",
    "page",
    "resume",
    "revoke",
    "revoke_all",
    "revoke_in",
    "suspend",
    "update",
]

MOST_AT_ONCE: Final = 100
# What became of one of several keys: it as it is now, or why it was not revoked.
Revoked: TypeAlias = ApiKey | NotFound | NotAllowed


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """What to change; None leaves it as it is. `expires_at` is changed only with `set_expiry`, because None is a choice."""

    name: str | None = None
    permissions: tuple[str, ...] | None = None
    allowed_ips: tuple[str, ...] | None = None
    expires_at: int | None = None
    set_expiry: bool = False


async def update(actor: Actor, key_id: str, edit: KeyEdit, *, slug: str | None = None, seen: str | None = None) -> ApiKey:
    """Raises ValidationFailed, Stale if the key is no longer the version that was seen, or Conflict for a revoked or expired
    key: both are final."""
    async with changing(actor, key_id, Action.UPDATE_API_KEY, slug) as (change, key):
        return await _apply_edit(change, key, _edited(key, edit, change.now, seen))


async def check_update(actor: Actor, key_id: str, edit: KeyEdit, *, seen: str | None = None) -> KeyInput:
    """What `update` would make of the key, without changing it. Raises what `update` raises."""
    key = await get(actor, key_id, action=Action.UPDATE_API_KEY)
    return _edited(key, edit, await database.now(), seen)


async def suspend(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Refused from the next request on, until it is resumed. Suspending twice is suspending once."""
    async with changing(actor, key_id, Action.SUSPEND_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        if key.suspended_at is None:
            await store.update(key.id, {"suspended_at": change.now})
            await audit.record(change, "key.suspended", key.id, name=key.name)
            key = replace(key, suspended_at=change.now)
        return key


async def resume(actor: Actor, key_id: str, *, slug: str | None = None, seen: str | None = None) -> ApiKey:
    """Works again from the next request on. Raises Stale if this is no longer the suspension that was seen."""
    async with changing(actor, key_id, Action.RESUME_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        if key.suspended_at is not None:
            require_same(seen, key.suspension_version)
            await store.update(key.id, {"suspended_at": None})
            await audit.record(change, "key.resumed", key.id, name=key.name)
            key = replace(key, suspended_at=None)
        return key


async def revoke(actor: Actor, key_id: str, reason: Reason, note: str | None = None, *, slug: str | None = None) -> ApiKey:
    """Immediate and permanent; never refused to who may do it, and repeated it answers the first revocation."""
    async with changing(actor, key_id, Action.REVOKE_API_KEY, slug) as (change, key):
        if key.revocation is not None:
            return key
        return await revoke_in(change, key, reason, rules.note(note))


async def revoke_all(actor: Actor, key_ids: Sequence[str], reason: Reason, note: str | None = None) -> list[Revoked]:
    """The same for several keys: one answer for each, in their order. Those of a workspace are revoked together or not at all.

    Raises ValidationFailed for none or more than MOST_AT_ONCE, and NotAllowed if that is the answer for all of them.
    """
    if not key_ids:
        raise ValidationFailed(FieldProblem("ids", "REQUIRED", "Name the keys that are to be revoked."))
    if len(key_ids) > MOST_AT_ONCE:
        raise ValidationFailed(FieldProblem("ids", "TOO_MANY", f"At most {MOST_AT_ONCE} keys at once, please."))
    homes, answers = await store.workspaces_of(key_ids), dict[str, Revoked]()
    for home in dict.fromkeys(homes.values()):
        theirs = [key_id for key_id in dict.fromkeys(key_ids) if homes.get(key_id) == home]
        answers |= await _revoke_of(actor, home, theirs, reason, rules.note(note))
    refusals = [answer for answer in answers.values() if isinstance(answer, NotAllowed)]
    if len(refusals) == len(set(key_ids)):
        raise refusals[0]
    return [answers.get(key_id) or NotFound(WHAT) for key_id in key_ids]


@contextlib.asynccontextmanager
async def changing(actor: Actor, key_id: str, action: Action, slug: str | None = None) -> AsyncIterator[tuple[Change, ApiKey]]:
    """The transaction in which a key changes, and the key as its lock found it. Raises NotFound, NotAllowed."""
    workspace_id = await workspace_of(key_id)
    async with contextlib.AsyncExitStack() as stack:
        with as_not_found():
            door = tenancy.changing(actor, slug, action, workspace_id=None if slug else workspace_id)
            change = await stack.enter_async_context(door)
        yield change, found(await store.find(change.place.id, key_id))


async def revoke_in(
    change: Change, key: ApiKey, reason: Reason, note: str | None, *, at: int | None = None, **detail: object
) -> ApiKey:
    """Revokes inside an open change, which writes it into the journal after its commit.

    `at`: when it was revoked the first time, as the journal says; `detail`: what the audit entry says beside.
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
    await audit.record(change, "key.revoked", key.id, name=key.name, reason=str(reason), note=note, **detail)
    return replace(key, revocation=Revocation(at, by, reason, note))


async def _revoke_of(actor: Actor, workspace_id: str, key_ids: list[str], reason: Reason, note: str | None) -> dict[str, Revoked]:
    """Keys of one workspace, in one change; nothing for a workspace that is not the actor's."""
    try:
        async with tenancy.changing(actor, None, Action.REVOKE_API_KEY, workspace_id=workspace_id) as change:
            before = {key.id: key for key in await store.find_many(change.place.id, key_ids)}
            after = {key_id: await _revoked(change, before[key_id], reason, note) for key_id in key_ids if key_id in before}
    except NotFound:
        return {}
    except NotAllowed as refusal:
        return dict.fromkeys(key_ids, refusal)
    return {**after}


async def _revoked(change: Change, key: ApiKey, reason: Reason, note: str | None) -> ApiKey:
    return key if key.revocation is not None else await revoke_in(change, key, reason, note)


def _edited(key: ApiKey, edit: KeyEdit, now: int, seen: str | None) -> KeyInput:
    """What the key is to be, in normal form. Raises as `update` does."""
    _refuse_over(key, now)
    asked = KeyInput(
        name=key.name if edit.name is None else edit.name,
        environment=key.environment,
        permissions=key.permissions if edit.permissions is None else edit.permissions,
        expires_at=edit.expires_at if edit.set_expiry else key.expires_at,
        allowed_ips=key.allowed_ips if edit.allowed_ips is None else edit.allowed_ips,
    )
    new = rules.checked(asked, catalogue.current(), now, of=key)
    # Sent twice, the second time finds what it asks for.
    if shape(new) != shape(_as_input(key)):
        require_same(seen, key.version)
    return new


def _as_input(key: ApiKey) -> KeyInput:
    return KeyInput(key.name, key.environment, key.permissions, key.expires_at, key.allowed_ips)


async def _apply_edit(change: Change, key: ApiKey, new: KeyInput) -> ApiKey:
    before = shape(_as_input(key))
    after = shape(new)
    changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
    if changed:
        await store.update_edited(key.id, new)
        await audit.record(change, "key.updated", key.id, **changed)
    return replace(key, name=new.name, permissions=new.permissions, expires_at=new.expires_at, allowed_ips=new.allowed_ips)


def _refuse_over(key: ApiKey, now: int) -> None:
    if key.is_over(now):
        raise Conflict(f"This key is {key.status(now).lower()}, which is final. Create a new one.")
