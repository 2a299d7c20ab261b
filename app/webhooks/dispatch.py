"""The job that delivers: from the outbox to every webhook that wants the event, and from there to its receiver.

One node at a time works, under a lease; if it dies, another one goes on with the rows as they are. A message that was sent but
whose outcome was not stored is sent again, with the same id: at least once, not exactly once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Final

from app import database, mail
from app.access.actor import Actor, Role
from app.access.policy import Action
from app.errors import NotFound, Unavailable
from app.outbox import mails
from app.outbox import store as outbox
from app.outbox.item import Item
from app.outbox.item import Kind as ItemKind
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.webhooks import delivery_store, emails, service, store
from app.webhooks.sender import current as sender
from app.webhooks.webhook import Attempt, Delivery, Disabled, Webhook, pause

AT_ONCE: Final = 64
PER_WEBHOOK: Final = 4
LOOK_SECONDS: Final = 0.25
_PIECE: Final = 50
_log = logging.getLogger("keydesk.webhooks")
_chance: Final = random.SystemRandom()


async def is_wanted(now: int) -> bool:
    """Whether this node sends, and something is due."""
    return sender().is_active and (await outbox.is_any_due(ItemKind.EVENT, now) or await delivery_store.is_any_due(now))


async def run(now: int) -> None:
    """Delivers what is due, and what becomes due meanwhile. Cancelled, it leaves the rest to the next run."""
    running: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            now = await database.now()
            await _fan_out(now)
            for delivery in await delivery_store.due(now, PER_WEBHOOK, AT_ONCE):
                if delivery.id not in running and len(running) < AT_ONCE:
                    running[delivery.id] = asyncio.create_task(_deliver(delivery), name=f"webhook {delivery.id}")
            if not running:
                return
            done, _ = await asyncio.wait(running.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            running = {key: task for key, task in running.items() if task not in done}
    finally:
        for task in running.values():
            task.cancel()
        if running:
            await asyncio.wait(running.values())


async def is_any_logged(now: int) -> bool:
    """Whether there is anything that `tidy` could delete."""
    return await delivery_store.is_any()


async def tidy(now: int) -> None:
    """The job that keeps the delivery logs short."""
    async with database.transaction():
        await delivery_store.purge(now)


async def _fan_out(now: int) -> None:
    """A delivery for each webhook that wants the event, in the transaction that takes it out of the outbox."""
    while items := await outbox.due(ItemKind.EVENT, now, _PIECE):
        async with database.transaction():
            for item in items:
                if await outbox.finish(item.id, now):
                    await _address(item, now)


async def _address(item: Item, now: int) -> None:
    body, kind = json.dumps(item.content, ensure_ascii=False, separators=(",", ":")), str(item.content["type"])
    for webhook in await store.of_workspace(item.workspace_id or ""):
        if webhook.wants(kind) and webhook.created_at <= item.created_at:
            await delivery_store.add(webhook.id, item.id, kind, body, now, created_at=item.created_at)


async def _deliver(delivery: Delivery) -> None:
    """One attempt. An error of ours is logged, and the delivery tried again; so is one whose outcome could not be stored."""
    try:
        found = await store.with_credentials(delivery.webhook_id)
        if found is None:
            return
        webhook, credentials = found
        attempt = await sender().attempt(webhook, credentials, delivery, await database.now())
        await _note(webhook, delivery, attempt)
    except Unavailable as failure:
        _log.warning("a webhook's delivery is put off: %s", failure.internal)
        await asyncio.sleep(1)
    except Exception:
        _log.exception("a webhook's delivery failed")
        await _put_off(delivery)


async def _note(webhook: Webhook, delivery: Delivery, attempt: Attempt) -> None:
    now = await database.now()
    wait = None if attempt.is_success else pause(delivery.retry, _chance.random(), attempt.retry_after_seconds)
    async with database.transaction():
        await delivery_store.save_attempt(delivery, attempt, now, None if wait is None else now + wait)
        await (store.note_success(webhook.id) if attempt.is_success else store.note_failure(webhook.id, now))
    if not attempt.is_success:
        await _disable_if_hopeless(webhook, attempt)


async def _put_off(delivery: Delivery) -> None:
    """An error of ours counts as a failed attempt, so that it is not repeated without a pause."""
    now = await database.now()
    wait = pause(delivery.retry, _chance.random())
    async with database.transaction():
        failed = Attempt(failure="Keydesk could not send this.")
        await delivery_store.save_attempt(delivery, failed, now, None if wait is None else now + wait)


async def _disable_if_hopeless(webhook: Webhook, attempt: Attempt) -> None:
    """Disables a webhook that failed for days, or whose receiver wants nothing any more, and tells the owners."""
    now = await database.now()
    if not attempt.is_gone and not webhook.is_given_up(now):
        return
    try:
        async with tenancy.changing(Actor.system(), None, Action.UPDATE_WEBHOOK, workspace_id=webhook.workspace_id) as change:
            present = await store.find(webhook.workspace_id, webhook.id)
            if present is None or present.disabled_at is not None:
                return
            because = Disabled.GONE if attempt.is_gone else Disabled.FAILING
            if attempt.is_gone or present.is_given_up(change.now):
                await service.disable(change, present, because)
                await _tell_owners(change, present, because)
    except NotFound:
        return


async def _tell_owners(change: Change, webhook: Webhook, because: Disabled) -> None:
    link = mail.current().link(f"/w/{change.workspace.slug}/settings/webhooks/{webhook.id}")
    content = emails.disabled(change.workspace, webhook, because, link)
    for member in await workspace_store.members(change.workspace.id):
        if member.role is Role.OWNER:
            await mails.send(member.user.email, content, change.now)
