"""Creates, lists, revokes and authenticates management keys."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, replace

from app import catalogue, database, ids
from app.access import policy
from app.access.actor import Actor, Request, Scope
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotAuthenticated, NotFound, Unavailable, ValidationFailed
from app.keys.idempotency import IdempotencyKey, RepeatedRequest
from app.keys.secret import KeyClass, class_of, generate, prefix_of
from app.management_keys import events, store
from app.management_keys.management_key import (
    MANAGEMENT_KEY_ID,
    MOST_LIVING,
    ManagementKey,
    ManagementKeyInput,
    Status,
    was_just_used,
)
from app.management_keys.store import StoredKey
from app.paging import Page, Window
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy.service import Access, Change
from app.users import store as user_store
from app.users.user import User
from app.versions import require_same, version_of_all


@dataclass(frozen=True, slots=True)
class HandoverResult:
    """What happened to the keys of a member who left."""

    taken_over: list[ManagementKey]
    revoked: list[ManagementKey]


async def authenticate(secret: str, request: Request) -> Actor:
    """The actor of a living management key that is used from an allowed address. Otherwise raises the same NotAuthenticated."""
    if class_of(secret, catalogue.current().prefixes) is not KeyClass.MANAGEMENT:
        raise NotAuthenticated("This is not a valid management key.")
    found = await store.find_by_digest(peppers.current().digests(secret))
    if found is None or found.key.status(found.now) is not Status.ACTIVE or not found.key.admits(request.address):
        raise NotAuthenticated("This is not a valid management key.")
    await _touch(found, secret)
    return found.key.actor(request)


async def create(
    actor: Actor, slug: str | None, input: ManagementKeyInput, *, idempotency_key: str | None = None
) -> tuple[ManagementKey, str]:
    """Creates a key; its secret is not stored. A key made by the operator acts as an owner, others as their maker.

    Raises ValidationFailed; Conflict if there are too many, or for an idempotency key that was used with another input; or
    RepeatedRequest, with the key's id, if it was used with the same input within 24 hours.
    """
    async with tenancy.changing(actor, slug, Action.CREATE_MANAGEMENT_KEY) as change:
        checked = input.checked(change.now, Scope, "A management key")
        repeat = IdempotencyKey.of(change, "createManagementKey", idempotency_key, input.fingerprint(checked))
        if repeat and (made := await repeat.find_result(change)):
            raise RepeatedRequest(made)
        if await store.count_living(change.workspace.id, change.now) >= MOST_LIVING:
            raise Conflict(f"There are {MOST_LIVING} management keys already. Revoke one first.")
        secret = generate(catalogue.current().key_prefix, KeyClass.MANAGEMENT)
        key = ManagementKey(
            id=ids.new(MANAGEMENT_KEY_ID),
            workspace_id=change.workspace.id,
            name=checked.name,
            prefix=prefix_of(secret),
            scopes=checked.scopes,
            allowed_ips=checked.allowed_ips,
            maker=await _maker(actor),
            created_at=change.now,
            expires_at=input.expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        pepper = peppers.current().current
        await store.add(key, pepper.digest(secret), pepper.version)
        shape = {"scopes": [*key.scopes], "allowed_ips": [*key.allowed_ips], "expires_at": key.expires_at}
        await audit.record(change, events.CREATED, key.id, name=key.name, **shape)
        if repeat:
            await repeat.remember(change, key.id)
    return key, secret


async def find_by_secret(actor: Actor, secret: str) -> ManagementKey | None:
    """The key with this secret, in any workspace. For the operator, after a leak."""
    policy.require_operator(actor, OperatorAction.FIND_BY_SECRET)
    found = await store.find_by_digest(peppers.current().digests(secret))
    return found.key if found else None


async def revoke(actor: Actor, key_id: str, *, slug: str | None = None) -> ManagementKey:
    """Revokes the key permanently. Idempotent. Raises NotFound for a key of another workspace, or, with a slug, of any but that."""
    home = await _workspace_id_of(actor, key_id, Action.REVOKE_MANAGEMENT_KEY)
    async with tenancy.changing(actor, slug, Action.REVOKE_MANAGEMENT_KEY, workspace_id=None if slug else home) as change:
        key = _found(await store.find(change.workspace.id, key_id))
        return key if key.revoked_at is not None else await _revoke(change, key)


async def get(actor: Actor, key_id: str) -> ManagementKey:
    """Raises NotFound for a key of another workspace. A management key may read itself."""
    if actor.id == key_id and actor.workspace_id and (own := await store.find(actor.workspace_id, key_id)):
        return own
    return _found(await store.find(await _workspace_id_of(actor, key_id, Action.READ_MANAGEMENT_KEYS), key_id))


async def find(access: Access, key_id: str) -> ManagementKey:
    """A key of the workspace. Raises NotFound for any other."""
    access.require(Action.READ_MANAGEMENT_KEYS)
    return _found(await store.find(access.workspace.id, key_id) if ids.is_a(MANAGEMENT_KEY_ID, key_id) else None)


async def page(access: Access, window: Window) -> Page[ManagementKey]:
    """A page of a workspace's keys, the newest first; a position is `created_at` and the id."""
    access.require(Action.READ_MANAGEMENT_KEYS)
    return await store.page(access.workspace.id, window)


async def count(access: Access) -> int:
    access.require(Action.READ_MANAGEMENT_KEYS)
    return await store.count(access.workspace.id)


async def live_keys_of(access: Access, user_id: str) -> list[ManagementKey]:
    """The active keys that one user made, the oldest first: they end when the user leaves."""
    access.require(Action.READ_MANAGEMENT_KEYS)
    return await store.made_by(access.workspace.id, user_id, access.now)


async def hand_over_or_revoke(
    change: Change, leaver_id: str, new_owner: Actor, take_over: Collection[str], expected: str | None = None
) -> HandoverResult:
    """Inside the change that removes a member: assigns the named keys to `new_owner`, and revokes the member's other keys.

    Raises Stale if these are no longer the keys that were seen, or ValidationFailed when a named key is not a living one of
    that member here.
    """
    keys = await store.made_by(change.workspace.id, leaver_id, change.now)
    require_same(expected, version_of_all(key.id for key in keys))
    if set(take_over) - {key.id for key in keys}:
        raise ValidationFailed(FieldProblem("takeOver", "UNKNOWN", "Name living management keys that this member made."))
    kept = [await _hand_over(change, key, new_owner) for key in keys if key.id in take_over]
    return HandoverResult(kept, [await _revoke(change, key) for key in keys if key.id not in take_over])


async def _touch(found: StoredKey, secret: str) -> None:
    pepper, now = peppers.current().current, found.now
    if found.pepper_version == pepper.version and was_just_used(found.key.last_used_at, now):
        return
    # If the database is too busy to store the use, the key is accepted anyway.
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.touch(found.key.id, now, pepper.digest(secret), pepper.version)


async def _maker(actor: Actor) -> User | None:
    return await user_store.find(actor.user_id) if actor.user_id else None


async def _workspace_id_of(actor: Actor, key_id: str, action: Action) -> str:
    """The key's workspace if the actor may do this there. Raises the same NotFound as for a key that does not exist."""
    workspace_id = await store.find_workspace(key_id) if ids.is_a(MANAGEMENT_KEY_ID, key_id) else None
    try:
        return (await tenancy.reading(actor, None, action, workspace_id=workspace_id or "")).workspace.id
    except NotFound:
        raise NotFound("management key") from None


def _found(key: ManagementKey | None) -> ManagementKey:
    if key is None:
        raise NotFound("management key")
    return key


async def _revoke(change: Change, key: ManagementKey) -> ManagementKey:
    await store.revoke(key.id, change.now)
    await audit.record(change, events.REVOKED, key.id, name=key.name)
    return replace(key, revoked_at=change.now)


async def _hand_over(change: Change, key: ManagementKey, new_owner: Actor) -> ManagementKey:
    maker = await _maker(new_owner)
    if maker is None:
        raise ValidationFailed(FieldProblem("takeOver", "INVALID", "Only a person can take a management key over."))
    await store.set_maker(key.id, maker.id)
    await audit.record(change, events.TAKEN_OVER, key.id, name=key.name, before=key.maker.id if key.maker else None)
    return replace(key, maker=maker)
