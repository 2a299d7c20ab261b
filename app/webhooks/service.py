"""Use cases of webhooks: create (in `create`), list, change, delete, rotate the secret, test, and send a message again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from app import ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, NotFound
from app.keys.idempotency import only_once
from app.outbox.item import MESSAGE_ID
from app.paging import Page, Window
from app.tenancy import service as tenancy
from app.tenancy.publication import message
from app.tenancy.service import Access, Change
from app.webhooks import delivery_store, events, store
from app.webhooks.create import Created, recount, shape
from app.webhooks.create import Preview as Preview
from app.webhooks.create import check as check
from app.webhooks.create import create as create
from app.webhooks.sender import current as sender
from app.webhooks.signature import new_secret
from app.webhooks.validation import TEST, WebhookInput
from app.webhooks.webhook import (
    DELIVERY_ID,
    OVERLAP,
    WEBHOOK_ID,
    Delivery,
    Disabled,
    Kind,
    State,
    Webhook,
    shown_url,
)

_WHAT = "webhook"


async def webhooks(access: Access) -> list[Webhook]:
    """All of a workspace, oldest first."""
    access.require(Action.READ_WEBHOOKS)
    return await store.of_workspace(access.workspace.id)


async def get(actor: Actor, webhook_id: str) -> Webhook:
    """Raises NotFound, also for one of another workspace; NotAllowed."""
    home = await _workspace_id_of(actor, webhook_id, Action.READ_WEBHOOKS)
    return _found(await store.find(home, webhook_id))


async def find(access: Access, webhook_id: str) -> Webhook:
    """One of this workspace. Raises NotFound."""
    access.require(Action.READ_WEBHOOKS)
    return _found(await store.find(access.workspace.id, webhook_id))


async def deliveries(access: Access, webhook: Webhook, window: Window) -> Page[Delivery]:
    """A page of the delivery log, newest first; a position is `created_at` and the id."""
    access.require(Action.READ_WEBHOOKS, webhook)
    return await delivery_store.page(webhook.id, window)


async def count_deliveries(access: Access, webhook: Webhook) -> int:
    access.require(Action.READ_WEBHOOKS, webhook)
    return await delivery_store.count(webhook.id)


async def get_delivery(actor: Actor, delivery_id: str) -> tuple[Delivery, str]:
    """A delivery, and the id of its workspace. Raises NotFound, also for one of another workspace; NotAllowed."""
    found = await _find_delivery(delivery_id)
    return found, await _workspace_id_of(actor, found.webhook_id, Action.READ_WEBHOOKS, "delivery")


async def update(
    actor: Actor,
    webhook_id: str,
    *,
    name: str | None = None,
    url: str | None = None,
    chosen: Sequence[str] | None = None,
    enabled: bool | None = None,
    slug: str | None = None,
) -> Webhook:
    """Changes what is given; a chat's URL is replaced, never shown. Raises ValidationFailed, NotFound.

    What is pending goes to the new URL; when it is disabled, what is pending is given up.
    """
    async with _changing(actor, webhook_id, Action.UPDATE_WEBHOOK, slug) as (change, webhook):
        new, checked = _edited(webhook, name, url, chosen)
        is_changed = await _save(change, webhook, new, checked.url)
        if is_changed:
            webhook = new
        if enabled is not None and enabled is not (webhook.disabled_at is None):
            webhook = await (_enable(change, webhook) if enabled else disable(change, webhook, Disabled.BY_OWNER))
        return webhook


async def check_update(
    actor: Actor, webhook_id: str, *, name: str | None = None, url: str | None = None, chosen: Sequence[str] | None = None
) -> Preview:
    """The webhook as `update` would change it, without changing it. Raises the same errors as `update`."""
    home = await _workspace_id_of(actor, webhook_id, Action.UPDATE_WEBHOOK)
    new, _ = _edited(_found(await store.find(home, webhook_id)), name, url, chosen)
    return Preview(new.name, new.kind, new.url, new.events)


async def delete(actor: Actor, webhook_id: str, *, slug: str | None = None) -> Webhook:
    """Deletes a webhook with its delivery log; nothing is sent to it anymore. Returns what it was."""
    async with _changing(actor, webhook_id, Action.DELETE_WEBHOOK, slug) as (change, webhook):
        await store.remove(webhook.id)
        await audit.record(change, events.DELETED, webhook.id, name=webhook.name)
        await recount(change)
        return webhook


async def rotate_secret(actor: Actor, webhook_id: str, *, idempotency_key: str | None = None, slug: str | None = None) -> Created:
    """A new secret, shown only now. During OVERLAP each message has signatures by both.

    Raises Conflict for a chat, and RepeatedRequest for a repeated idempotency key.
    """
    async with _changing(actor, webhook_id, Action.READ_WEBHOOK_SECRET, slug) as (change, webhook):
        if webhook.kind is not Kind.STANDARD:
            raise Conflict("A webhook of a chat has no secret: its URL is one.")
        await only_once(change, "rotateWebhookSecret", idempotency_key, [webhook.id])
        before = await store.with_credentials(webhook.id)
        assert before is not None  # noqa: S101  # found above, under the lock
        secret = new_secret()
        await store.save_credentials(webhook.id, replace(before[1], secret=secret, previous=before[1].secret))
        webhook = replace(webhook, previous_until=change.now + OVERLAP)
        await store.save(webhook)
        await audit.record(change, events.SECRET_ROTATED, webhook.id, name=webhook.name)
        return Created(webhook, secret)


async def send_test(actor: Actor, webhook_id: str, *, slug: str | None = None) -> Webhook:
    """Sends a message of the type `webhook.test`, whatever events are chosen. Raises Conflict for a disabled webhook."""
    async with _changing(actor, webhook_id, Action.SEND_TO_WEBHOOK, slug) as (change, webhook):
        _refuse_disabled(webhook)
        body = json.dumps(message(change, TEST, webhook.id, {"name": webhook.name}), ensure_ascii=False)
        await delivery_store.add(webhook.id, ids.new(MESSAGE_ID), TEST.name, body, change.now, created_at=change.now)
        await audit.record(change, events.TESTED, webhook.id, name=webhook.name)
        return webhook


async def redeliver(actor: Actor, delivery_id: str, *, slug: str | None = None) -> tuple[Webhook, Delivery]:
    """Sends a message again at once, with the same id, also one that was delivered. A pending one is not waited for any longer.

    Raises NotFound, or Conflict for a disabled webhook.
    """
    found = await _find_delivery(delivery_id)
    async with _changing(actor, found.webhook_id, Action.SEND_TO_WEBHOOK, slug, "delivery") as (change, webhook):
        _refuse_disabled(webhook)
        await delivery_store.send_again(found.id, change.now)
        await audit.record(change, events.REDELIVERED, webhook.id, name=webhook.name, message=found.message_id, type=found.type)
        return webhook, replace(found, state=State.PENDING, due_at=change.now, retry=0)


async def disable(change: Change, webhook: Webhook, because: Disabled) -> Webhook:
    """Inside a change of its workspace. What is pending is given up; an owner can send it again later."""
    webhook = replace(webhook, disabled_at=change.now, disabled_because=because)
    await store.save(webhook)
    await delivery_store.give_up_all(webhook.id, change.now)
    await audit.record(change, events.DISABLED, webhook.id, name=webhook.name, because=str(because))
    await recount(change)
    return webhook


def _edited(webhook: Webhook, name: str | None, url: str | None, chosen: Sequence[str] | None) -> tuple[Webhook, WebhookInput]:
    """The webhook with what is given, and that as it was validated. Raises ValidationFailed."""
    wanted = WebhookInput(webhook.name if name is None else name, webhook.kind, url, webhook.events if chosen is None else chosen)
    checked = wanted.checked(sender().rules)
    shown = webhook.url if checked.url is None else shown_url(webhook.kind, checked.url)
    return replace(webhook, name=checked.name, url=shown, events=tuple(checked.events)), checked


async def _enable(change: Change, webhook: Webhook) -> Webhook:
    webhook = replace(webhook, disabled_at=None, disabled_because=None, failing_since=None)
    await store.save(webhook)
    await audit.record(change, events.ENABLED, webhook.id, name=webhook.name)
    await recount(change)
    return webhook


async def _save(change: Change, before: Webhook, after: Webhook, url: str | None) -> bool:
    """Stores what has changed; returns whether anything has. A chat's URL counts as changed whenever it is given."""
    old, new = shape(before), shape(after)
    changed: dict[str, Any] = {name: {"before": old[name], "after": new[name]} for name in old if old[name] != new[name]}
    if after.name != before.name:
        changed["name"] = {"before": before.name, "after": after.name}
    if url is not None and before.kind is not Kind.STANDARD:
        changed["url"] = {"before": before.url, "after": after.url}
    if not changed:
        return False
    if url is not None and (known := await store.with_credentials(before.id)):
        await store.save_credentials(before.id, replace(known[1], url=url))
    await store.save(after)
    await audit.record(change, events.UPDATED, before.id, **changed)
    return True


@contextlib.asynccontextmanager
async def _changing(
    actor: Actor, webhook_id: str, action: Action, slug: str | None, what: str = _WHAT
) -> AsyncIterator[tuple[Change, Webhook]]:
    """The transaction in which a webhook changes, and the webhook as read under the lock. Raises NotFound of `what`, NotAllowed."""
    home = await _workspace_id_of(actor, webhook_id, action, what)
    async with tenancy.changing(actor, slug, action, workspace_id=None if slug else home) as change:
        yield change, _found(await store.find(change.workspace.id, webhook_id))


async def _workspace_id_of(actor: Actor, webhook_id: str, action: Action, what: str = _WHAT) -> str:
    """The webhook's workspace if the actor may do this there. Raises the same NotFound of `what` as if it did not exist."""
    workspace_id = await store.find_workspace(webhook_id) if ids.is_a(WEBHOOK_ID, webhook_id) else None
    try:
        return (await tenancy.reading(actor, None, action, workspace_id=workspace_id or "")).workspace.id
    except NotFound:
        raise NotFound(what) from None


async def _find_delivery(delivery_id: str) -> Delivery:
    found = await delivery_store.find(delivery_id) if ids.is_a(DELIVERY_ID, delivery_id) else None
    if found is None:
        raise NotFound("delivery")
    return found


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFound(_WHAT)
    return webhook


def _refuse_disabled(webhook: Webhook) -> None:
    if webhook.disabled_at is not None:
        raise Conflict("This webhook is disabled. Enable it first.")
