"""Checks whether what is to be sent is sent."""

from __future__ import annotations

from typing import Final

from app import database
from app.clock import MINUTE
from app.doctor.finding import Finding, ok, warn
from app.outbox import store
from app.outbox.item import Kind

# No item waits so long while a node sends and the mail server accepts.
_LONG: Final = 10 * MINUTE
_WORDS: Final = {
    Kind.MAIL: ("mail", "the mail server does not accept them, or no node sends them"),
    Kind.PASSWORD_RESET: ("request for a reset link", "no node handles them"),
    Kind.EVENT: ("event for webhooks", "no node handles them"),
}


async def of_outbox() -> list[Finding]:
    """A warning for each kind of item that waits too long."""
    now = await database.now()
    waiting = await store.count_waiting(before=now - _LONG)
    found = [warn("outbox", _sentence(kind, number)) for kind, number in waiting.items()]
    return found or [ok("outbox", f"nothing waits longer than {_LONG // MINUTE} minutes")]


def _sentence(kind: Kind, number: int) -> str:
    what, why = _WORDS[kind]
    plural = what if number == 1 else what.replace("mail", "mails").replace("request", "requests").replace("event", "events")
    return f"{number:,} {plural} waiting for more than {_LONG // MINUTE} minutes: {why}"
