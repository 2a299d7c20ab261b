"""Sends one message to one webhook, and says what came of it."""

from __future__ import annotations

import unicodedata
from typing import Final

from app import runtime
from app.clock import SECOND
from app.keys.secret import mask_secrets
from app.outgoing import client
from app.outgoing.client import Resolver, Unanswered
from app.outgoing.url import Rules, UrlRefused, parse
from app.settings import Settings
from app.webhooks import signature
from app.webhooks.chat import body_for
from app.webhooks.webhook import Attempt, Credentials, Delivery, Kind, Webhook

LONGEST_RESPONSE: Final = 500
USER_AGENT: Final = "Keydesk-Webhooks/1"


class Sender:
    """What a process needs for sending. `is_active`: whether this node sends at all; one that only verifies may have no way out."""

    def __init__(self, settings: Settings, *, resolver: Resolver | None = None) -> None:
        self.rules = Rules(settings.webhook_networks, plain=settings.dev)
        self.is_active = settings.role != "verify"
        self._origin = settings.origin
        self._resolver = resolver

    async def attempt(self, webhook: Webhook, credentials: Credentials, delivery: Delivery, now: int) -> Attempt:
        """One attempt, signed at `now`. Whatever fails is part of what is returned."""
        body = body_for(webhook.kind, delivery.body, self._origin)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if webhook.kind is Kind.STANDARD:
            headers |= signature.headers(_keys(webhook, credentials, now), delivery.message_id, now // SECOND, body)
        try:
            found = await client.post(parse(credentials.url, self.rules), headers, body, self.rules, resolver=self._resolver)
        except (Unanswered, UrlRefused) as failure:
            return Attempt(failure=str(failure))
        return Attempt(found.status, found.duration_ms, _readable(found.body), retry_after_seconds=found.retry_after_seconds)


def current() -> Sender:
    """The sender of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Sender)


def _keys(webhook: Webhook, credentials: Credentials, now: int) -> list[str]:
    overlaps = webhook.previous_until is not None and now < webhook.previous_until
    return [key for key in (credentials.secret, credentials.previous if overlaps else None) if key]


def _readable(body: bytes) -> str:
    """The beginning of a response as a line of text, for the delivery log."""
    text = body.decode("utf-8", "replace")
    line = "".join(character if unicodedata.category(character)[0] != "C" else " " for character in text)
    return mask_secrets(line).strip()[:LONGEST_RESPONSE]
