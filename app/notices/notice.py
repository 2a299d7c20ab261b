"""A notice as frozen data: which key, what about it, how long before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.clock import DAY
from app.keys.key import ApiKey

# A day is 24 hours of UTC here, so that no change of clocks anywhere moves a notice.
STAGES_DAYS: Final = (14, 7, 1, 0)
# Nobody is told of an expiry that is longer ago: a server that was down for so long, or a database older than notices.
EXPIRED_LATELY: Final = 7 * DAY


class Kind(StrEnum):
    """What a notice is about: the day by which the schedule wants a successor, the end of the key's life, or a rotation
    whose deadline has passed while both its keys go on working (the notice is about the predecessor)."""

    ROTATE_BY = "ROTATE_BY"
    EXPIRY = "EXPIRY"
    DEADLINE = "DEADLINE"


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to be told: `days` is the most urgent stage reached before the instant `about`."""

    key_id: str
    kind: Kind
    days: int
    about: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was told at the instant `at`. Open as long as it still asks for something to be done."""

    key: ApiKey
    kind: Kind
    days: int
    about: int
    at: int
    is_open: bool

    def has_come(self, now: int) -> bool:
        """Whether the instant that it is about has passed."""
        return now >= self.about
