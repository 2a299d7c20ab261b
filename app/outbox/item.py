"""An item of the outbox as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from app.clock import DAY, MINUTE

MESSAGE_ID: Final = "msg"
# How long the trace of a handled item is kept, without its content.
KEPT: Final = 7 * DAY
# The longest pause between two attempts. What is due later was written while the clock was ahead, and is due now.
LONGEST_PAUSE: Final = 2 * DAY
# The pause after which an item that could not be opened is looked at again.
UNREADABLE: Final = 5 * MINUTE


class Kind(StrEnum):
    """An e-mail; the request for a reset link, of which only the job finds out whether there is such a user; or an event
    for the webhooks of its workspace."""

    MAIL = "mail"
    PASSWORD_RESET = "password-reset"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Item:
    """`id` is the same for every attempt. `content` may hold secrets, such as the link of an e-mail."""

    id: str
    kind: Kind
    workspace_id: str | None
    created_at: int
    attempts: int
    content: dict[str, Any] = field(repr=False)
