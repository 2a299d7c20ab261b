"""Webhooks and deliveries as frozen data, and the rules of repeating and giving up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.clock import DAY, HOUR, MINUTE, SECOND

WEBHOOK_ID: Final = "whk"
DELIVERY_ID: Final = "whd"

MOST_WEBHOOKS: Final = 10
# For how long the secret before a rotation still signs, beside the new one.
OVERLAP: Final = DAY
# The pauses before each repetition: the schedule that the Standard Webhooks specification recommends, three days in all.
PAUSES: Final = (
    5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
# A pause is longer by up to this share, so that what failed together does not come back together.
JITTER: Final = 0.2
# A receiver may ask for a longer pause, but not for longer than this.
LONGEST_ASKED: Final = 24 * HOUR
# A webhook of which every delivery has failed for so long is disabled.
PATIENCE: Final = 5 * DAY


class Kind(StrEnum):
    """The form of what is sent: by the Standard Webhooks specification, or a text for a channel."""

    STANDARD = "STANDARD"
    SLACK = "SLACK"
    TEAMS = "TEAMS"


class Disabled(StrEnum):
    """Why nothing is sent: an owner wanted that, nothing arrived for days, or the receiver answered 410 Gone."""

    BY_OWNER = "BY_OWNER"
    FAILING = "FAILING"
    GONE = "GONE"


class State(StrEnum):
    """`FAILED` is final until an owner sends it again."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The URL and the secrets of a webhook. The URL of a chat is a secret, too: who knows it can write there.

    `secret`: None for a chat. `previous`: the one before the last rotation.
    """

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Webhook:
    """`url`: as it may be shown. `events`: names of event types; none means all, also future ones. `failing_since`: the first
    failed attempt after the last successful one. `previous_until`: until when the previous secret signs, too."""

    id: str
    workspace_id: str
    name: str
    kind: Kind
    url: str
    events: tuple[str, ...]
    created_at: int
    created_by_name: str
    previous_until: int | None = None
    disabled_at: int | None = None
    disabled_because: Disabled | None = None
    failing_since: int | None = None

    def wants(self, event: str) -> bool:
        return self.disabled_at is None and (not self.events or event in self.events)

    def is_given_up(self, now: int) -> bool:
        """Whether it has failed for so long that it is to be disabled."""
        return self.disabled_at is None and self.failing_since is not None and now - self.failing_since >= PATIENCE


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook; `message_id` is its `webhook-id`, the same in every attempt.

    What is said of a response is that of the last attempt. `failure`: why there was no response.
    """

    id: str
    webhook_id: str
    message_id: str
    type: str
    body: str = field(repr=False)
    created_at: int
    state: State
    attempts: int
    retry: int
    due_at: int | None = None
    attempted_at: int | None = None
    status_code: int | None = None
    duration_ms: int | None = None
    response: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one attempt."""

    status_code: int | None = None
    duration_ms: int | None = None
    response: str | None = None
    failure: str | None = None
    retry_after_seconds: int | None = None

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """The receiver wants nothing any more (410)."""
        return self.status_code == 410


def pause(retry: int, chance: float, asked_seconds: int | None = None) -> int | None:
    """Microseconds until the repetition number `retry` (from 0); None if there is none any more. `chance`: from 0 to 1."""
    if retry >= len(PAUSES):
        return None
    planned = round(PAUSES[retry] * (1 + JITTER * chance))
    return max(planned, min((asked_seconds or 0) * SECOND, LONGEST_ASKED))


def shown_url(kind: Kind, url: str) -> str:
    """The URL as it may be shown: of a chat's, which is a secret, only the host."""
    if kind is Kind.STANDARD:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/…"
