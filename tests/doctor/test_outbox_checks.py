"""`doctor`: what waits too long to be sent."""

from __future__ import annotations

from app import database
from app.clock import MINUTE
from app.doctor.finding import Level
from app.doctor.outbox_checks import of_outbox
from app.mail import EmailContent
from app.outbox import mails, service, store
from app.outbox.item import Kind

NOW = 1_793_000_000_000_000


async def said() -> list[tuple[Level, str]]:
    return [(finding.level, finding.text) for finding in await of_outbox()]


async def test_what_waits_for_more_than_ten_minutes_is_reported_until_it_is_sent(db: None) -> None:
    database.freeze(NOW)
    async with database.transaction():
        for _ in range(2):
            await mails.send("ann@example.org", EmailContent("s", "t"), NOW)
        event = await service.put(Kind.EVENT, {}, NOW)
    database.freeze(NOW + 10 * MINUTE - 1)
    assert await said() == [(Level.OK, "nothing waits longer than 10 minutes")]
    database.freeze(NOW + 10 * MINUTE)
    assert await said() == [
        (Level.WARN, "1 event for webhooks waiting for more than 10 minutes: no node handles them"),
        (Level.WARN, "2 mails waiting for more than 10 minutes: the mail server does not accept them, or no node sends them"),
    ]
    async with database.transaction():
        for item_id in (event.id, *(item.id for item in await store.due(Kind.MAIL, NOW, 9))):
            await store.finish(item_id, NOW)
    assert await said() == [(Level.OK, "nothing waits longer than 10 minutes")]
