"""Mails: put into the outbox in the transaction of their cause, and sent by a job, so that no response waits for them or fails
with them. Their texts and addresses are sealed while they wait, and erased when they were sent."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import aiosmtplib

from app import database, mail
from app.clock import HOUR, MINUTE, SECOND
from app.mail import EmailContent, Refused
from app.outbox import service, store
from app.outbox.item import Item, Kind

AT_ONCE: Final = 4
# The pauses after each failed attempt; after the last one the mail is dropped and logged.
PAUSES: Final = (
    SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR,
)  # fmt: skip
_log = logging.getLogger("keydesk.mail")


async def send(to: str, content: EmailContent, now: int) -> None:
    """Inside a transaction: the mail is sent if, and only if, that is committed."""
    await service.put(Kind.MAIL, {"to": to, "subject": content.subject, "text": content.text}, now)


async def is_wanted(now: int) -> bool:
    """Whether this node sends e-mails, and one is due."""
    return mail.current().is_active and await store.is_any_due(Kind.MAIL, now)


async def run(now: int) -> None:
    """The job: sends what is due. An e-mail that was sent but not noted as sent is sent again, with the same Message-ID."""
    while items := await store.due(Kind.MAIL, now, AT_ONCE):
        await asyncio.gather(*map(_attempt, items))
        now = await database.now()


async def _attempt(item: Item) -> None:
    """Logs only the type of an error: its text may quote the mail or its address."""
    to, content = item.content["to"], EmailContent(item.content["subject"], item.content["text"])
    try:
        await mail.current().deliver(item.id, item.created_at, to, content)
    except Refused as refusal:
        _log.error("the mail %s was given up: %s", item.id, refusal)
    except (aiosmtplib.SMTPException, OSError) as failure:
        if item.attempts < len(PAUSES):
            _log.warning("the mail %s could not be sent, it will be tried again: %s", item.id, type(failure).__name__)
            await _put_off(item)
            return
        _log.error("the mail %s was given up: %s", item.id, type(failure).__name__)
    async with database.transaction():
        await store.finish(item.id, await database.now())


async def _put_off(item: Item) -> None:
    async with database.transaction():
        await store.postpone(item.id, await database.now() + PAUSES[item.attempts])
