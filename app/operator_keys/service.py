"""Creates, lists, revokes and authenticates operator keys. Only the operator, on the machine, can create and revoke them."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from app import catalogue, database, ids
from app.access import policy
from app.access.actor import Actor, OperatorScope, Request
from app.access.policy import OperatorAction
from app.audit import service as audit
from app.errors import NotAuthenticated, NotFound, Unavailable
from app.keys.secret import KeyClass, class_of, generate, prefix_of
from app.management_keys.management_key import ManagementKeyInput, Status, was_just_used
from app.operator_keys import events, store
from app.operator_keys.operator_key import OPERATOR_KEY_ID, OperatorKey
from app.operator_keys.store import StoredKey
from app.peppers import service as peppers
from app.tenancy import service as tenancy


async def authenticate(secret: str, request: Request) -> Actor:
    """The actor of a living operator key that is used from an allowed address. Otherwise raises the same NotAuthenticated."""
    if class_of(secret, catalogue.current().prefixes) is not KeyClass.MANAGEMENT:
        raise NotAuthenticated("This is not a valid operator key.")
    found = await store.find_by_digest(peppers.current().digests(secret))
    if found is None or found.key.status(found.now) is not Status.ACTIVE or not found.key.admits(request.address):
        raise NotAuthenticated("This is not a valid operator key.")
    await _touch(found, secret)
    return found.key.actor(request)


async def create(actor: Actor, input: ManagementKeyInput) -> tuple[OperatorKey, str]:
    """Creates a key; its secret is not stored. Raises ValidationFailed."""
    policy.require_operator(actor, OperatorAction.MANAGE_OPERATOR_KEYS)
    async with tenancy.changing_installation(actor) as change:
        checked = input.checked(change.now, OperatorScope, "An operator key")
        secret = generate(catalogue.current().key_prefix, KeyClass.MANAGEMENT)
        key = OperatorKey(
            id=ids.new(OPERATOR_KEY_ID),
            name=checked.name,
            prefix=prefix_of(secret),
            scopes=checked.scopes,
            allowed_ips=checked.allowed_ips,
            created_at=change.now,
            expires_at=input.expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        pepper = peppers.current().current
        await store.add(key, pepper.digest(secret), pepper.version)
        shape = {"scopes": [*key.scopes], "allowed_ips": [*key.allowed_ips], "expires_at": key.expires_at}
        await audit.record(change, events.CREATED, key.id, name=key.name, **shape)
    return key, secret


async def keys(actor: Actor) -> list[OperatorKey]:
    """All of them, newest first."""
    policy.require_operator(actor, OperatorAction.MANAGE_OPERATOR_KEYS)
    return await store.keys()


async def find_by_secret(actor: Actor, secret: str) -> OperatorKey | None:
    """The key with this secret, living or not."""
    policy.require_operator(actor, OperatorAction.FIND_BY_SECRET)
    found = await store.find_by_digest(peppers.current().digests(secret))
    return found.key if found else None


async def revoke(actor: Actor, key_id: str) -> OperatorKey:
    """Revokes the key permanently. Idempotent. Raises NotFound."""
    policy.require_operator(actor, OperatorAction.MANAGE_OPERATOR_KEYS)
    async with tenancy.changing_installation(actor) as change:
        key = await store.find(key_id)
        if key is None:
            raise NotFound("operator key")
        if key.revoked_at is None:
            await store.revoke(key.id, change.now)
            await audit.record(change, events.REVOKED, key.id, name=key.name)
            key = replace(key, revoked_at=change.now)
    return key


async def _touch(found: StoredKey, secret: str) -> None:
    pepper = peppers.current().current
    if found.pepper_version == pepper.version and was_just_used(found.key.last_used_at, found.now):
        return
    # If the database is too busy to store the use, the key is accepted anyway.
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.touch(found.key.id, found.now, pepper.digest(secret), pepper.version)
