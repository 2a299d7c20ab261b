"""The outcomes of requests, and the batches in which they are reported to Keydesk."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

MAXIMUM_BATCH: Final = 1_000
MAXIMUM_USER_AGENT: Final = 256

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request that Keydesk let pass with `outcomeFollows`, and the HTTP status it ended with."""

    key_id: str
    status: int
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    permission: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    def event(self) -> dict[str, Any]:
        """The event for `/v1/usage`; unknown fields are left out."""
        event = {
            "keyId": self.key_id,
            "at": self.at.isoformat(),
            "status": self.status,
            "permission": self.permission,
            "ip": self.ip,
            "userAgent": self.user_agent,
        }
        return {name: value for name, value in event.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Batch:
    """Outcomes that are reported together. The id stays the same through every retry: that makes them count once."""

    outcomes: tuple[Outcome, ...]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def body(self) -> dict[str, Any]:
        return {"batchId": self.id, "events": [outcome.event() for outcome in self.outcomes]}


@dataclass(frozen=True, slots=True)
class Receipt:
    """Keydesk's answer to a batch: `rejected` contains the codes of the events that it did not count."""

    accepted: int
    rejected: tuple[str, ...] = ()

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError unless `answer` is a receipt."""
        if not isinstance(accepted := answer["accepted"], int):
            raise TypeError("accepted is a number")
        return cls(accepted, tuple(str(event["code"]) for event in answer["rejected"]))


def tidy_user_agent(text: str) -> str | None:
    """A caller's User-Agent as Keydesk accepts it: printable and short, because a caller may send any bytes."""
    return _UNPRINTABLE.sub("?", text)[:MAXIMUM_USER_AGENT] or None
