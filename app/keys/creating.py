"""How API keys are made: once for the same request, within the plan, with a secret that is shown with the first answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app import catalogue, clock, database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.keys import rules, store
from app.keys.key import ApiKey
from app.keys.reading import found
from app.keys.repeat import IDEMPOTENCY_LASTS, Repeat
from app.keys.rules import KeyInput
from app.keys.secret import generate, prefix_of
from app.names import plain_name
from app.peppers import service as peppers
from app.plans import service as plans
from app.tenancy import service as tenancy
from app.tenancy.service import Change


@dataclass(frozen=True, slots=True)
class Created:
    """`secret` is None when an idempotency key was repeated: it was shown once, with the first answer."""

    key: ApiKey
    secret: str | None = field(repr=False)


async def create(actor: Actor, slug: str | None, asked: KeyInput, *, idempotency_key: str | None = None) -> Created:
    """A new key and its secret.

    Raises ValidationFailed, PlanLimitReached, or Conflict for an idempotency key that was used with another input. The
    same idempotency key with the same input within 24 hours answers the key it made, without the secret.
    """
    async with tenancy.changing(actor, slug, Action.CREATE_API_KEY) as change:
        repeat = Repeat.of(change, "createApiKey", idempotency_key, _wanted(asked))
        if repeat and (made := await repeat.find_result(change)):
            return Created(found(await store.find(change.place.id, made)), None)
        checked = rules.checked(asked, catalogue.current(), change.now)
        await plans.require_slot(change)
        created = await add_in(change, checked)
        if repeat:
            await repeat.remember(change, created.key.id)
        return created


async def check(actor: Actor, slug: str | None, asked: KeyInput) -> KeyInput:
    """What `create` would make of this, in normal form, without making it. Raises ValidationFailed, NotAllowed."""
    await tenancy.reading(actor, slug, Action.CREATE_API_KEY)
    return rules.checked(asked, catalogue.current(), await database.now())


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
    await audit.record(change, "key.created", key.id, prefix=key.prefix, **shape(asked))
    return Created(key, secret)


async def forget_old_repeats() -> None:
    """Drops idempotency keys that are older than 24 hours."""
    async with database.transaction():
        await store.forget_before(await database.now() - IDEMPOTENCY_LASTS)


def shape(asked: KeyInput) -> dict[str, Any]:
    """A key's settings as the audit log shows them."""
    return {
        "name": asked.name,
        "environment": asked.environment,
        "permissions": list(asked.permissions),
        "expires_at": clock.rfc3339(asked.expires_at) if asked.expires_at is not None else None,
        "allowed_ips": list(asked.allowed_ips),
    }


def _wanted(asked: KeyInput) -> list[Any]:
    """What makes two requests the same."""
    return [plain_name(asked.name), asked.environment, sorted(set(asked.permissions)), asked.expires_at, asked.allowed_ips]
