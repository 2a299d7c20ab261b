"""Sends what waits in the outbox, as the jobs of a running node do."""

from __future__ import annotations

from app import database
from app.authentication import password_reset
from app.outbox import mails


async def send_mails() -> None:
    """Until no mail is due."""
    now = await database.now()
    await password_reset.mail_links(now)
    while await mails.is_wanted(now):
        await mails.run(now)
        now = await database.now()
