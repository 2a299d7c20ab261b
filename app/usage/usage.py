"""What a key's counters say. `total = successful + failed` at every read, because the total is nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.clock import DAY, HOUR

SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
# An allowed verification, and what a service reported of an allowed one: a status below 400. All other outcomes are failures.
SUCCESSES: Final = frozenset({"VALID", SUCCEEDED})


class Granularity(StrEnum):
    """Days are UTC."""

    HOUR = "HOUR"
    DAY = "DAY"

    @property
    def length(self) -> int:
        """Microseconds."""
        return HOUR if self is Granularity.HOUR else DAY


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests."""

    successful: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.successful + self.failed

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.successful + other.successful, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Point:
    """The requests of one hour or day that begins at `at` (microseconds)."""

    at: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Counter:
    """One row: requests of a key in an hour with a permission (empty: none asked for) and an outcome."""

    key_id: str
    hour: int
    permission: str
    outcome: str
    requests: int

    @property
    def counts(self) -> Counts:
        return Counts(self.requests, 0) if self.outcome in SUCCESSES else Counts(0, self.requests)


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals of a time, and the same split in three ways; `series` has every step of it, the empty ones too."""

    counts: Counts
    series: tuple[Point, ...]
    by_permission: tuple[tuple[str, Counts], ...]
    by_outcome: tuple[tuple[str, int], ...]


def summarise(counters: list[Counter], since: int, until: int, granularity: Granularity) -> Usage:
    """The counters of one key (or of many together) from `since` up to but not including `until`."""
    steps: dict[int, Counts] = {}
    permissions: dict[str, Counts] = {}
    outcomes: dict[str, int] = {}
    for counter in counters:
        at = counter.hour - counter.hour % granularity.length
        steps[at] = steps.get(at, Counts()) + counter.counts
        permissions[counter.permission] = permissions.get(counter.permission, Counts()) + counter.counts
        outcomes[counter.outcome] = outcomes.get(counter.outcome, 0) + counter.requests
    first = since - since % granularity.length
    series = tuple(Point(at, steps.get(at, Counts())) for at in range(first, until, granularity.length))
    total = sum(steps.values(), Counts())
    return Usage(total, series, tuple(sorted(permissions.items())), tuple(sorted(outcomes.items())))
