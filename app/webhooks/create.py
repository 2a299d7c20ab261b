"""Creates webhooks: idempotently, with a secret that only the first response shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app import ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict
from app.keys.idempotency import IdempotencyKey
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.webhooks import events, store
from app.webhooks.sender import current as sender
from app.webhooks.signature import new_secret
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import MOST_WEBHOOKS, WEBHOOK_ID, Credentials, Kind, Webhook, shown_url


@dataclass(frozen=True, slots=True)
class Created:
    """`secret`: shown only now; None for a chat, for an actor who may not read secrets, and if a request is `repeated`."""

    webhook: Webhook
    secret: str | None = field(repr=False)
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a webhook would be; its URL as it is shown."""

    name: str
    kind: Kind
    url: str
    events: tuple[str, ...]


async def create(actor: Actor, slug: str | None, input: WebhookInput, *, idempotency_key: str | None = None) -> Created:
    """Creates a webhook, and its secret unless it is for a chat.

    Raises ValidationFailed, or Conflict if there are too many, or for an idempotency key that was used with another input. The same
    idempotency key with the same input within 24 hours returns the webhook it created, without the secret, or is a Conflict if that
    was deleted.
    """
    async with tenancy.changing(actor, slug, Action.CREATE_WEBHOOK) as change:
        checked = input.checked(sender().rules)
        url = checked.url or ""
        asked = [checked.name, str(checked.kind), url, list(checked.events)]
        repeat = IdempotencyKey.of(change, "createWebhook", idempotency_key, asked)
        if repeat and (made := await repeat.find_result(change)):
            return Created(await _made_before(change, made), None, repeated=True)
        if len(await store.of_workspace(change.workspace.id)) >= MOST_WEBHOOKS:
            raise Conflict(f"There are {MOST_WEBHOOKS} webhooks already. Delete one first.")
        webhook = Webhook(
            id=ids.new(WEBHOOK_ID),
            workspace_id=change.workspace.id,
            name=checked.name,
            kind=checked.kind,
            url=shown_url(checked.kind, url),
            events=tuple(checked.events),
            created_at=change.now,
            created_by_name=actor.name,
        )
        secret = new_secret() if checked.kind is Kind.STANDARD else None
        await store.add(webhook, Credentials(url, secret))
        await audit.record(change, events.CREATED, webhook.id, name=webhook.name, **shape(webhook))
        await recount(change)
        if repeat:
            await repeat.remember(change, webhook.id)
    return Created(webhook, secret if change.access.may(Action.READ_WEBHOOK_SECRET) else None)


async def check(actor: Actor, slug: str | None, input: WebhookInput) -> Preview:
    """What `create` would store for this input. Raises ValidationFailed, NotAllowed."""
    await tenancy.reading(actor, slug, Action.CREATE_WEBHOOK)
    checked = input.checked(sender().rules)
    return Preview(checked.name, checked.kind, shown_url(checked.kind, checked.url or ""), tuple(checked.events))


def shape(webhook: Webhook) -> dict[str, Any]:
    """What the audit log says of it: never the URL of a chat, which is a secret."""
    return {"url": webhook.url, "events": list(webhook.events)}


async def recount(change: Change) -> None:
    """While a workspace has no enabled webhook, its changes write nothing to the outbox."""
    enabled = [webhook for webhook in await store.of_workspace(change.workspace.id) if webhook.disabled_at is None]
    await workspace_store.set_webhooks(change.workspace.id, len(enabled))


async def _made_before(change: Change, webhook_id: str) -> Webhook:
    webhook = await store.find(change.workspace.id, webhook_id)
    if webhook is None:
        raise Conflict("The webhook that this idempotency key made has been deleted since. Use another key.")
    return webhook
