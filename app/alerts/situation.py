"""What a rule looks at: the latest use of a key beside what is usual. All of it is data; the clock is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.alerts.alert import Kind
from app.alerts.baseline import Baseline, Hour, Visit
from app.clock import HOUR, MINUTE
from app.tenancy.workspace import BusinessHours
from app.usage.caller import FOLDED

# The length of a slot of refusals, and how long they are looked at.
SLOT: Final = 5 * MINUTE
LOOK_BACK: Final = HOUR
# The value of an expectation for all that a rule could find.
ALWAYS: Final = "*"


class Refusal(NamedTuple):
    """Failed requests of a key in one slot with one permission and outcome from one network."""

    slot: int
    permission: str
    outcome: str
    network: str
    requests: int
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What rules need of a key."""

    id: str
    workspace_id: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """A key now. `hours`: this hour and the one before; `refusals`: of LOOK_BACK; `visits`: callers last seen within LOOK_BACK.

    `familiar`: networks that other keys or the members of the workspace have used for some time. `expected`: what someone has
    called expected, by kind. `usual`: the workspace's failures, for a young key.
    """

    now: int
    key: KeyFacts
    baseline: Baseline
    zone: str
    business_hours: BusinessHours | None = None
    hours: tuple[Hour, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    visits: tuple[Visit, ...] = ()
    familiar: frozenset[str] = frozenset()
    usual: Baseline = Baseline(0)
    expected: Mapping[Kind, frozenset[str]] = field(default_factory=dict)

    def expects(self, kind: Kind, value: str) -> bool:
        values = self.expected.get(kind)
        return values is not None and (value in values or ALWAYS in values)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has found. `parts` are counters that only grow, by slot, hour or network: an incident's count is added up from
    them. `values`: what "expected" would teach. `usual` and `now` are the two numbers that a person compares, in `unit`."""

    kind: Kind
    first_at: int
    last_at: int
    parts: dict[str, int]
    values: tuple[str, ...]
    usual: float
    now: float
    unit: str
    evidence: dict[str, Any]
    baseline: dict[str, Any]


def named(networks: set[str]) -> list[str]:
    """Networks as evidence: known ones, in order, a few."""
    return sorted(networks - {"", FOLDED})[:20]
