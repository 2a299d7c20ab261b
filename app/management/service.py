"""Making, listing and ending management keys, and signing in with one."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from app import catalogue, database, ids
from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.clock import MINUTE
from app.errors import Conflict, FieldProblem, NotAuthenticated, NotFound, Unavailable, ValidationFailed
from app.keys.secret import KeyClass, class_of, generate, prefix_of
from app.management import store
from app.management.key import MOST_LIVING, Asked, ManagementKey, Status
from app.management.store import Position, Stored
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import User
from app.versions import require_same, version_of_all

# `last_used_at` is exact to this much, so that a busy program does not write with every request.
_TOUCHED_EVERY: Final = MINUTE


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the keys of a member who left."""

    taken_over: list[ManagementKey]
    revoked: list[ManagementKey]


async def authenticate(secret: str, request: Request) -> Actor:
    """The actor a living management key stands for. Raises NotAuthenticated, the same for every other text."""
    if class_of(secret, catalogue.current().prefixes) is not KeyClass.MANAGEMENT:
        raise NotAuthenticated("This is not a valid management key.")
    found = await store.find_by_digest(peppers.current().digests(secret))
    now = await database.now()
    if found is None or found.key.status(now) is not Status.ACTIVE:
        raise NotAuthenticated("This is not a valid management key.")
    await _touch(found, secret, now)
    return found.key.actor(request)


async def create(actor: Actor, slug: str | None, asked: Asked) -> tuple[ManagementKey, str]:
    """The key and its secret, which is nowhere else. Made by the operator it acts as an owner, else as its maker."""
    async with tenancy.changing(actor, slug, Action.CREATE_MANAGEMENT_KEY) as change:
        name, scopes = asked.checked(change.now)
        if await store.count_living(change.place.id, change.now) >= MOST_LIVING:
            raise Conflict(f"There are {MOST_LIVING} management keys already. Revoke one first.")
        secret = generate(catalogue.current().key_prefix, KeyClass.MANAGEMENT)
        key = ManagementKey(
            id=ids.new(ids.MANAGEMENT_KEY),
            workspace_id=change.place.id,
            name=name,
            prefix=prefix_of(secret),
            scopes=scopes,
            maker=await _maker(actor),
            created_at=change.now,
            expires_at=asked.expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        pepper = peppers.current().current
        await store.add(key, pepper.digest(secret), pepper.version)
        await audit.record(change, "management_key.created", key.id, name=name, scopes=[*scopes], expires_at=key.expires_at)
    return key, secret


async def find_by_secret(actor: Actor, secret: str) -> ManagementKey | None:
    """For the operator, on the night something leaks: the key of this secret, whoever it belongs to."""
    policy.require_operator(actor, OperatorAction.FIND_BY_SECRET)
    found = await store.find_by_digest(peppers.current().digests(secret))
    return found.key if found else None


async def revoke(actor: Actor, key_id: str) -> ManagementKey:
    """Ends the key for ever; repeated, it changes nothing. Raises NotFound for a key of another workspace."""
    home = await _home(actor, key_id, Action.REVOKE_MANAGEMENT_KEY)
    async with tenancy.changing(actor, None, Action.REVOKE_MANAGEMENT_KEY, workspace_id=home) as change:
        key = _found(await store.find(home, key_id))
        return key if key.revoked_at is not None else await _revoke(change, key)


async def get(actor: Actor, key_id: str) -> ManagementKey:
    """Raises NotFound for a key of another workspace. A management key may look at itself."""
    if actor.id == key_id and actor.workspace_id and (own := await store.find(actor.workspace_id, key_id)):
        return own
    return _found(await store.find(await _home(actor, key_id, Action.READ_MANAGEMENT_KEYS), key_id))


async def page(
    actor: Actor,
    slug: str | None,
    *,
    limit: int,
    after: Position | None = None,
    before: Position | None = None,
    backwards: bool = False,
) -> list[ManagementKey]:
    """A workspace's keys between two positions (creation and id), the newest first, or from the end of that list."""
    access = await tenancy.reading(actor, slug, Action.READ_MANAGEMENT_KEYS)
    return await store.page(access.workspace.id, limit=limit, after=after, before=before, backwards=backwards)


async def count(actor: Actor, slug: str | None) -> int:
    access = await tenancy.reading(actor, slug, Action.READ_MANAGEMENT_KEYS)
    return await store.count(access.workspace.id)


async def living_of(actor: Actor, slug: str | None, user_id: str) -> list[ManagementKey]:
    """The living keys that one person made, the oldest first: what their leaving would end."""
    access = await tenancy.reading(actor, slug, Action.READ_MANAGEMENT_KEYS)
    return await store.made_by(access.workspace.id, user_id, await database.now())


async def settle(change: Change, leaver_id: str, heir: Actor, take_over: Collection[str], seen: str | None = None) -> Settled:
    """Within the change that removes a member: the named keys go to `heir`, the member's other ones end.

    Raises Stale if these are no longer the keys that were seen, or ValidationFailed when a named key is not a living one of
    that member here.
    """
    keys = await store.made_by(change.place.id, leaver_id, change.now)
    require_same(seen, version_of_all(key.id for key in keys))
    if set(take_over) - {key.id for key in keys}:
        raise ValidationFailed(FieldProblem("takeOver", "UNKNOWN", "Name living management keys that this member made."))
    kept = [await _hand_over(change, key, heir) for key in keys if key.id in take_over]
    return Settled(kept, [await _revoke(change, key) for key in keys if key.id not in take_over])


async def _touch(found: Stored, secret: str, now: int) -> None:
    pepper = peppers.current().current
    # Also one that lies ahead is old: the clock was.
    fresh = found.key.last_used_at is not None and abs(now - found.key.last_used_at) < _TOUCHED_EVERY
    if fresh and found.pepper_version == pepper.version:
        return
    # A database that is too busy to note the use is no reason to refuse it.
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.touch(found.key.id, now, pepper.digest(secret), pepper.version)


async def _maker(actor: Actor) -> User | None:
    return await workspace_store.find_user(actor.user_id) if actor.user_id else None


async def _home(actor: Actor, key_id: str, action: Action) -> str:
    """The key's workspace if the actor may do this there; else NotFound in the words used for a key that is nowhere."""
    workspace_id = await store.find_workspace(key_id) if ids.is_a(ids.MANAGEMENT_KEY, key_id) else None
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
    await audit.record(change, "management_key.revoked", key.id, name=key.name)
    return replace(key, revoked_at=change.now)


async def _hand_over(change: Change, key: ManagementKey, heir: Actor) -> ManagementKey:
    maker = await _maker(heir)
    if maker is None:
        raise ValidationFailed(FieldProblem("takeOver", "INVALID", "Only a person can take a management key over."))
    await store.set_maker(key.id, maker.id)
    await audit.record(change, "management_key.taken_over", key.id, name=key.name, before=key.maker.id if key.maker else None)
    return replace(key, maker=maker)
