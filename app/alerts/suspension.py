"""Automatic suspension, as pure decisions: which rules suspend keys, when one does not, and what a rule would have suspended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.alerts import incident
from app.alerts.alert import Alert, Kind, Withheld
from app.alerts.incident_store import Stored
from app.alerts.rules import RULES
from app.alerts.situation import LOOK_BACK, Finding
from app.clock import DAY
from app.errors import FieldProblem, ValidationFailed
from app.versions import version_of

# The rules that can be set to suspend: those about unusual use of a key that still works.
SUSPENDING: Final = tuple(kind for kind, rule in RULES.items() if rule.may_suspend)
DEFAULT_MOST: Final = 3
HIGHEST_MOST: Final = 100
# A day is any 24 hours, so that an attack at midnight does not get the limit twice.
WITHIN: Final = DAY
PREVIEWED_DAYS: Final = 30
# What goes on or comes back sooner after a person has dealt with it is the incident that they know.
SETTLED: Final = 2 * LOOK_BACK


@dataclass(frozen=True, slots=True)
class AutomaticSuspension:
    """The setting of a workspace: the rules that suspend, and the most keys that they suspend within 24 hours."""

    kinds: tuple[Kind, ...] = ()
    most_a_day: int = DEFAULT_MOST

    @property
    def version(self) -> str:
        return version_of(self.kinds, self.most_a_day)

    def checked(self) -> AutomaticSuspension:
        """The same with its rules in their order and without repetitions. Raises ValidationFailed with every fault."""
        faults = [
            FieldProblem("kinds", "INVALID", f"{RULES[kind].title} cannot suspend a key.", self.kinds.index(kind))
            for kind in dict.fromkeys(self.kinds)
            if kind not in SUSPENDING
        ]
        if not 1 <= self.most_a_day <= HIGHEST_MOST:
            faults.append(FieldProblem("maxPerDay", "OUT_OF_RANGE", f"Choose a number from 1 to {HIGHEST_MOST}."))
        if faults:
            raise ValidationFailed(*faults)
        return AutomaticSuspension(tuple(kind for kind in SUSPENDING if kind in self.kinds), self.most_a_day)


class Outcome(StrEnum):
    """What a rule would have done: suspended the key, not suspended it because of the daily limit, or nothing, because the key had
    ended or was suspended already."""

    SUSPENDED = "SUSPENDED"
    DAILY_LIMIT = "DAILY_LIMIT"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would have done with each of its alerts, the newest first, if it alone had been set to suspend."""

    kind: Kind
    most_a_day: int
    alerts: tuple[tuple[Alert, Outcome], ...]

    @property
    def suspended(self) -> int:
        return self._count(Outcome.SUSPENDED)

    @property
    def over_limit(self) -> int:
        """How many more suspensions there would have been without the limit."""
        return self._count(Outcome.DAILY_LIMIT)

    def _count(self, outcome: Outcome) -> int:
        return sum(each is outcome for _, each in self.alerts)


def preview(kind: Kind, alerts: Iterable[Alert], most_a_day: int) -> Preview:
    """As if each key had been resumed before its next alert."""
    suspended, found = list[int](), list[tuple[Alert, Outcome]]()
    for alert in sorted(alerts, key=lambda alert: (alert.at, alert.id)):
        outcome = _outcome(alert, sum(at > alert.at - WITHIN for at in suspended), most_a_day)
        if outcome is Outcome.SUSPENDED:
            suspended.append(alert.at)
        found.append((alert, outcome))
    return Preview(kind, most_a_day, tuple(reversed(found)))


def withheld(*, resumed: bool, other_suspended: bool, recently: int, most_a_day: int) -> Withheld | None:
    """Why a key is not suspended; None: it is. `recently`: how many keys were suspended automatically within 24 hours."""
    if resumed:
        return Withheld.RESUMED
    if other_suspended:
        return Withheld.ROTATION
    return Withheld.DAILY_LIMIT if recently >= most_a_day else None


def is_known(finding: Finding, latest: Stored | None, resumes: Sequence[int]) -> bool:
    """Whether a person has resumed the key from this incident: what was found had begun before, shows nothing new, and goes on or
    came back soon after. `latest`: the alert of this kind before, which is resolved; `resumes`: when the key was resumed."""
    if not resumes or (latest is not None and incident.shows_more(latest.incident, finding)):
        return False
    suspended_before = latest is not None and (latest.suspended_at is not None or latest.withheld is Withheld.RESUMED)
    dealt_with = max(resumes[-1], (latest.incident.resolved_at or 0) if latest is not None else 0)
    return (suspended_before or finding.first_at <= resumes[-1]) and finding.last_at < dealt_with + SETTLED


def _outcome(alert: Alert, recently: int, most_a_day: int) -> Outcome:
    key = alert.key
    if key.is_over(alert.at) or (key.suspended_at is not None and key.suspended_at < alert.at):
        return Outcome.NOTHING
    return Outcome.DAILY_LIMIT if recently >= most_a_day else Outcome.SUSPENDED
