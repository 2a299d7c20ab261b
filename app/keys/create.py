"""Creates API keys: idempotently, within the plan, with a secret that only the first response shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from app import catalogue, clock, database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.keys import events, leak_digest, owners, store, validation
from app.keys.idempotency import IDEMPOTENCY_LASTS, IdempotencyKey
from app.keys.key import API_KEY_ID, ApiKey, KeySettings
from app.keys.queries import found
from app.keys.secret import generate, prefix_of
from app.peppers import service as peppers
from app.plans import service as plans
from app.tenancy import service as tenancy
from app.tenancy.service import Change


@dataclass(frozen=True, slots=True)
class Created:
    """`secret` is None for a repeated idempotency key: only the first response shows it. `at`: the time of this change."""

    key: ApiKey
    secret: str | None = field(repr=False)
    at: int


async def create(
    actor: Actor, slug: str | None, asked: KeySettings, *, lifetime_days: int | None = None, idempotency_key: str | None = None
) -> Created:
    """Creates a key and its secret. `lifetime_days` is counted from the creation and replaces the expiry in `asked`.

    Raises ValidationFailed, PlanLimitReached, or Conflict for an idempotency key that was used with another input. The
    same idempotency key with the same input within 24 hours returns the key it created, without the secret.
    """
    async with tenancy.changing(actor, slug, Action.CREATE_API_KEY) as change:
        # Days from now are another instant each time the same request is sent.
        fingerprint = asked.fingerprint() + ([] if lifetime_days is None else [lifetime_days])
        repeat = IdempotencyKey.of(change, "createApiKey", idempotency_key, fingerprint)
        if repeat and (made := await repeat.find_result(change)):
            return Created(found(await store.find(change.workspace.id, made)), None, change.now)
        owned = await owners.of_new(asked.lasting(lifetime_days, change.now), actor, change.workspace.id)
        checked = validation.checked(owned, catalogue.current(), change.now)
        await plans.require_slot(change)
        created = await add_in(change, checked)
        if repeat:
            await repeat.remember(change, created.key.id)
        return created


async def check(actor: Actor, slug: str | None, asked: KeySettings, *, lifetime_days: int | None = None) -> KeySettings:
    """Validates and normalizes the input of `create` without creating a key. Raises ValidationFailed, NotAllowed."""
    access = await tenancy.reading(actor, slug, Action.CREATE_API_KEY)
    now = await database.now()
    owned = await owners.of_new(asked.lasting(lifetime_days, now), actor, access.workspace.id)
    return validation.checked(owned, catalogue.current(), now)


async def add_in(change: Change, asked: KeySettings, *, line_started_at: int | None = None) -> Created:
    """Creates a key inside an open change. The caller has validated the input and checked the limit of the plan.

    `line_started_at`: when the first key of the lineage that it continues was created.
    """
    environment = catalogue.current().environments[asked.environment]
    secret = generate(catalogue.current().key_prefix, environment.prefix)
    pepper = peppers.current().current
    key = ApiKey(
        **asked.values(),
        id=ids.new(API_KEY_ID),
        workspace_id=change.workspace.id,
        prefix=prefix_of(secret),
        created_at=change.now,
        created_by=change.actor.ref,
        suspended_at=None,
        revocation=None,
        last_used_at=None,
        last_used_ip=None,
        line_started_at=line_started_at,
    )
    leaked = leak_digest.keyed(await audit.derived_key(change, leak_digest.PURPOSE), leak_digest.sha256_of(secret))
    await store.add(key, pepper.digest(secret), pepper.version, leaked)
    await audit.record(change, events.CREATED, key.id, prefix=key.prefix, **key.detail())
    return Created(key, secret, change.now)


async def forget_old_repeats() -> None:
    """Deletes idempotency keys that are older than 24 hours. Those stored while the clock was ahead expire 24 hours from now:
    their requests may still be repeated."""
    async with database.transaction():
        now = await database.now()
        await store.forget_before(now - IDEMPOTENCY_LASTS)
        await store.bring_repeats_back(now, now + clock.TOLERATED)
