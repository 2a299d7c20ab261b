"""An alert as frozen data: what it is about, whether it is open, and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from app.access.actor import ActorRef
from app.clock import DAY
from app.keys.key import ApiKey

ALERT_ID: Final = "alr"
# A day is 24 hours here, so that daylight saving time does not move an alert.
STAGES_DAYS: Final = (14, 7, 1, 0)
# No alert about an older expiry, after long downtime or in a database older than alerts.
EXPIRED_LATELY: Final = 7 * DAY
# The key can no longer be changed, but its users need another one.
LEAKED_LATELY: Final = 7 * DAY


class Kind(StrEnum):
    """What an alert is about; `rules` has a file for each.

    The first four are about dates: the rotation date of the schedule, the expiry of the key, a rotation whose deadline has
    passed while both its keys still work (the alert is about the predecessor), or a key that was revoked because a code host
    or a holder of its secret reported it (open for a week). The others are about unusual use.
    """

    ROTATE_BY = "ROTATE_BY"
    EXPIRY = "EXPIRY"
    DEADLINE = "DEADLINE"
    LEAKED = "LEAKED"
    UNEXPECTED_NETWORK = "UNEXPECTED_NETWORK"
    FAILURE_SPIKE = "FAILURE_SPIKE"
    OUTSIDE_BUSINESS_HOURS = "OUTSIDE_BUSINESS_HOURS"
    UNUSED_PERMISSION = "UNUSED_PERMISSION"
    USE_AFTER_REVOCATION = "USE_AFTER_REVOCATION"
    USE_AFTER_EXPIRY = "USE_AFTER_EXPIRY"
    DORMANT_KEY = "DORMANT_KEY"


DATED: Final = (Kind.ROTATE_BY, Kind.EXPIRY, Kind.DEADLINE, Kind.LEAKED)
OF_USE: Final = tuple(kind for kind in Kind if kind not in DATED)


class State(StrEnum):
    """OPEN as long as it requires action."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class Resolution(StrEnum):
    """How an alert ended: a member marked it as expected, which teaches the rule; a member handled it; or nothing is left to do,
    because the date was moved or the key has ended."""

    EXPECTED = "EXPECTED"
    HANDLED = "HANDLED"
    OVER = "OVER"


class Withheld(StrEnum):
    """Why an alert did not suspend its key although its rule is set to: as many keys as allowed were suspended within a day, the
    other key of its rotation is suspended, or a person has resumed the key from the same incident."""

    DAILY_LIMIT = "DAILY_LIMIT"
    ROTATION = "ROTATION"
    RESUMED = "RESUMED"


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert about a date to be raised: `days` is the most urgent stage reached before the instant `about`."""

    key_id: str
    kind: Kind
    days: int
    about: int


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert raised at the instant `at`.

    About a date: `days` is the stage, `about` the date. About use: `about` is when the incident began, `last_seen_at` when it was
    last seen, `count` the number of its requests; `evidence` and `baseline` are what was found and what is usual.
    `suspended_at`: when it suspended its key; `withheld`: why it did not.
    """

    id: str
    key: ApiKey
    kind: Kind
    days: int
    about: int
    at: int
    is_open: bool
    last_seen_at: int = 0
    count: int = 1
    evidence: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    resolved_at: int | None = None
    resolution: Resolution | None = None
    resolved_by: ActorRef | None = None
    suspended_at: int | None = None
    withheld: Withheld | None = None

    @property
    def state(self) -> State:
        return State.OPEN if self.is_open else State.RESOLVED

    @property
    def is_dated(self) -> bool:
        return self.kind in DATED

    @property
    def first_seen_at(self) -> int:
        """When the incident began; for a date, when the alert was raised."""
        return self.at if self.is_dated else self.about

    @property
    def workspace_id(self) -> str:
        return self.key.workspace_id

    @property
    def keeps_suspended(self) -> bool:
        """Whether the key is still in the suspension that this alert began."""
        return self.suspended_at is not None and self.suspended_at == self.key.suspended_at

    def has_come(self, now: int) -> bool:
        """Whether the instant that it is about has passed."""
        return now >= self.about
