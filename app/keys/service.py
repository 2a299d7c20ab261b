"""What can be done with API keys. Every function takes who asks first; every change leaves one audit entry with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app import catalogue, clock, database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotFound, ValidationFailed
from app.keys import journal, rules, store
from app.keys.key import ApiKey, Reason, Revocation
from app.keys.listing import LONGEST_SEARCH, KeyFilter, KeyPage, Order, Window
from app.keys.repeat import IDEMPOTENCY_LASTS, Repeat
from app.keys.rules import KeyInput
from app.keys.secret import cut, generate, prefix_of
from app.peppers import service as peppers
from app.plans import service as plans
from app.workspaces import service as workspaces
from app.workspaces.service import Change

_WHAT: Final = "API key"


@dataclass(frozen=True, slots=True)
class Created:
    """`secret` is None when an idempotency key was repeated: it was shown once, with the first answer."""

    key: ApiKey
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """What to change; None leaves it as it is. `expires_at` is changed only with `set_expiry`, because None is a choice."""

    name: str | None = None
    permissions: tuple[str, ...] | None = None
    allowed_ips: tuple[str, ...] | None = None
    expires_at: int | None = None
    set_expiry: bool = False


async def create(actor: Actor, slug: str | None, asked: KeyInput, *, idempotency_key: str | None = None) -> Created:
    """A new key and its secret.

    Raises ValidationFailed, PlanLimitReached, or Conflict for an idempotency key that was used with another input. The
    same idempotency key with the same input within 24 hours answers the key it made, without the secret.
    """
    async with workspaces.changing(actor, slug, Action.CREATE_API_KEY) as change:
        repeat = Repeat.of(change, "createApiKey", idempotency_key, _wanted(asked))
        if repeat and (made := await _made_before(change, repeat)):
            return Created(_found(await store.find(change.place.id, made)), None)
        checked = rules.checked(asked, catalogue.current(), change.now)
        await plans.require_slot(change)
        created = await add_in(change, checked)
        if repeat:
            await store.remember(repeat.scope, repeat.input, created.key.id, change.now)
        return created


async def check(actor: Actor, slug: str | None, asked: KeyInput) -> KeyInput:
    """What `create` would make of this, in normal form, without making it. Raises ValidationFailed, NotAllowed."""
    await workspaces.reading(actor, slug, Action.CREATE_API_KEY)
    return rules.checked(asked, catalogue.current(), await database.now())


async def get(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Raises NotFound; with a slug also for a key of another workspace the actor belongs to."""
    workspace_id = await _workspace_of(key_id)
    with _as_not_found():
        access = await workspaces.reading(actor, slug, Action.READ_KEYS, workspace_id=None if slug else workspace_id)
    return _found(await store.find(access.workspace.id, key_id))


async def page(
    actor: Actor,
    slug: str | None,
    window: Window,
    filter: KeyFilter = KeyFilter(),
    order: Order = Order.CREATED_AT,
    *,
    descending: bool = True,
) -> KeyPage:
    """A page of the workspace's keys; a search text shaped like a key is cut to its prefix first. Raises ValidationFailed."""
    access = await workspaces.reading(actor, slug, Action.READ_KEYS)
    return await store.page(access.workspace.id, _safe(filter), order, descending, window, await database.now())


async def count(actor: Actor, slug: str | None, filter: KeyFilter = KeyFilter()) -> int:
    """How many keys the filter leaves. Raises ValidationFailed."""
    access = await workspaces.reading(actor, slug, Action.READ_KEYS)
    return await store.count(access.workspace.id, _safe(filter), await database.now())


async def update(actor: Actor, key_id: str, edit: KeyEdit, *, slug: str | None = None) -> ApiKey:
    """Raises ValidationFailed, or Conflict for a revoked or expired key: both are final."""
    async with changing(actor, key_id, Action.UPDATE_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        asked = KeyInput(
            name=key.name if edit.name is None else edit.name,
            environment=key.environment,
            permissions=key.permissions if edit.permissions is None else edit.permissions,
            expires_at=edit.expires_at if edit.set_expiry else key.expires_at,
            allowed_ips=key.allowed_ips if edit.allowed_ips is None else edit.allowed_ips,
        )
        new = rules.checked(asked, catalogue.current(), change.now, of=key)
        return await _apply_edit(change, key, new)


async def suspend(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Refused from the next request on, until it is resumed. Suspending twice is suspending once."""
    async with changing(actor, key_id, Action.SUSPEND_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        if key.suspended_at is None:
            await store.update(key.id, {"suspended_at": change.now})
            await audit.record(change, "key.suspended", key.id, name=key.name)
            key = replace(key, suspended_at=change.now)
        return key


async def resume(actor: Actor, key_id: str, *, slug: str | None = None) -> ApiKey:
    """Works again from the next request on."""
    async with changing(actor, key_id, Action.RESUME_API_KEY, slug) as (change, key):
        _refuse_over(key, change.now)
        if key.suspended_at is not None:
            await store.update(key.id, {"suspended_at": None})
            await audit.record(change, "key.resumed", key.id, name=key.name)
            key = replace(key, suspended_at=None)
        return key


async def revoke(actor: Actor, key_id: str, reason: Reason, note: str | None = None, *, slug: str | None = None) -> ApiKey:
    """Immediate and permanent; never refused to who may do it, and repeated it answers the first revocation."""
    async with changing(actor, key_id, Action.REVOKE_API_KEY, slug) as (change, key):
        if key.revocation is not None:
            return key
        key = await revoke_in(change, key, reason, rules.note(note))
    await written_down(key)
    return key


@contextlib.asynccontextmanager
async def changing(actor: Actor, key_id: str, action: Action, slug: str | None = None) -> AsyncIterator[tuple[Change, ApiKey]]:
    """The transaction in which a key changes, and the key as its lock found it. Raises NotFound, NotAllowed."""
    workspace_id = await _workspace_of(key_id)
    async with contextlib.AsyncExitStack() as stack:
        with _as_not_found():
            door = workspaces.changing(actor, slug, action, workspace_id=None if slug else workspace_id)
            change = await stack.enter_async_context(door)
        yield change, _found(await store.find(change.place.id, key_id))


async def revoke_in(change: Change, key: ApiKey, reason: Reason, note: str | None) -> ApiKey:
    """Revokes inside an open change; whoever calls this calls `written_down` after the commit and before the answer."""
    by = change.actor.ref
    values = {
        "revoked_at": change.now,
        "revoked_by_kind": str(by.kind),
        "revoked_by_id": by.id,
        "revoked_by_name": by.name,
        "revocation_reason": str(reason),
        "revocation_note": note,
    }
    await store.update(key.id, values)
    await audit.record(change, "key.revoked", key.id, name=key.name, reason=str(reason), note=note)
    return replace(key, revocation=Revocation(change.now, by, reason, note))


async def written_down(*keys: ApiKey) -> None:
    """Appends committed revocations to the journal, fsynced when this returns."""
    revoked = [(key.id, key.revocation.at, str(key.revocation.reason)) for key in keys if key.revocation]
    await journal.current().append(revoked)


async def find_by_secret(actor: Actor, secret: str) -> ApiKey | None:
    """For the operator, on the night something leaks: the key of this secret, whoever it belongs to."""
    if actor.is_member:
        raise NotFound(_WHAT)
    return await store.find_by_digests(peppers.current().digests(secret.strip()))


async def forget_old_repeats() -> None:
    """Drops idempotency keys that are older than 24 hours."""
    async with database.transaction():
        await store.forget_before(await database.now() - IDEMPOTENCY_LASTS)


async def add_in(change: Change, asked: KeyInput, *, line_started_at: int | None = None) -> Created:
    """A new key inside an open change. The caller has checked the input and decided that the plan has room for it.

    `line_started_at`: when the first key was made of the line that it continues.
    """
    environment = catalogue.current().environments[asked.environment]
    secret = generate(catalogue.current().key_prefix, environment.prefix)
    pepper = peppers.current().current
    key = ApiKey(
        id=ids.new(ids.API_KEY),
        workspace_id=change.place.id,
        name=asked.name,
        prefix=prefix_of(secret),
        environment=asked.environment,
        permissions=asked.permissions,
        allowed_ips=asked.allowed_ips,
        created_at=change.now,
        created_by=change.actor.ref,
        expires_at=asked.expires_at,
        suspended_at=None,
        revocation=None,
        last_used_at=None,
        last_used_ip=None,
        line_started_at=line_started_at,
    )
    await store.add(key, pepper.digest(secret), pepper.version)
    await audit.record(change, "key.created", key.id, prefix=key.prefix, **_shape(asked))
    return Created(key, secret)


def _wanted(asked: KeyInput) -> list[Any]:
    """What makes two requests the same."""
    return [asked.name, asked.environment, sorted(set(asked.permissions)), asked.expires_at, asked.allowed_ips]


async def _made_before(change: Change, repeat: Repeat) -> str | None:
    """The id of the key that the same request made; Conflict if the idempotency key was used for another one."""
    found = await store.find_repeat(repeat.scope, change.now - IDEMPOTENCY_LASTS)
    if found is None:
        return None
    repeat.require_same(found[0])
    return found[1]


async def _apply_edit(change: Change, key: ApiKey, new: KeyInput) -> ApiKey:
    before = _shape(KeyInput(key.name, key.environment, key.permissions, key.expires_at, key.allowed_ips))
    after = _shape(new)
    changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
    if changed:
        await store.update_edited(key.id, new)
        await audit.record(change, "key.updated", key.id, **changed)
    return replace(key, name=new.name, permissions=new.permissions, expires_at=new.expires_at, allowed_ips=new.allowed_ips)


def _shape(asked: KeyInput) -> dict[str, Any]:
    """A key's settings as the audit log shows them."""
    return {
        "name": asked.name,
        "environment": asked.environment,
        "permissions": list(asked.permissions),
        "expires_at": clock.rfc3339(asked.expires_at) if asked.expires_at is not None else None,
        "allowed_ips": list(asked.allowed_ips),
    }


def _refuse_over(key: ApiKey, now: int) -> None:
    if key.is_over(now):
        raise Conflict(f"This key is {key.status(now).lower()}, which is final. Create a new one.")


def _safe(filter: KeyFilter) -> KeyFilter:
    if len(filter.search) > LONGEST_SEARCH:
        raise ValidationFailed(FieldProblem("search", "TOO_LONG", f"Search for at most {LONGEST_SEARCH} characters."))
    return replace(filter, search=cut(filter.search.strip()).rstrip("…"))


async def _workspace_of(key_id: str) -> str:
    found = await store.workspace_of(key_id) if ids.is_a(ids.API_KEY, key_id) else None
    if found is None:
        raise NotFound(_WHAT)
    return found


@contextlib.contextmanager
def _as_not_found() -> Iterator[None]:
    """Another's workspace must not show that the key exists: the same words as for a key that does not."""
    try:
        yield
    except NotFound:
        raise NotFound(_WHAT) from None


def _found(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise NotFound(_WHAT)
    return key
