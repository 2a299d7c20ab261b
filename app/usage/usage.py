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


NONE: Final = Counts()


@dataclass(frozen=True, slots=True)
class Point:
    """The requests of one hour or day that begins at `at` (microseconds)."""

    at: int
    counts: Counts


class PartOf(StrEnum):
    """In which of the three ways a part splits a usage."""

    SERIES = "series"
    PERMISSIONS = "permissions"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of a key in one step (which begins at `at`), or with the permission or the outcome `name` (of a permission
    empty: none asked for)."""

    key_id: str
    part: PartOf
    at: int
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals of a time, and the same split in three ways; `series` has every step of it, the empty ones too."""

    counts: Counts
    series: tuple[Point, ...]
    by_permission: tuple[tuple[str, Counts], ...]
    by_outcome: tuple[tuple[str, int], ...]


def summarise(parts: list[Part], since: int, until: int, granularity: Granularity) -> Usage:
    """The parts of one key (or of many together) from `since` up to but not including `until`."""
    steps = {part.at: part.counts for part in parts if part.part is PartOf.SERIES}
    permissions = {part.name: part.counts for part in parts if part.part is PartOf.PERMISSIONS}
    outcomes = {part.name: part.counts.total for part in parts if part.part is PartOf.OUTCOMES}
    first = since - since % granularity.length
    series = tuple([Point(at, steps.get(at, NONE)) for at in range(first, until, granularity.length)])
    total = sum(steps.values(), NONE)
    return Usage(total, series, tuple(sorted(permissions.items())), tuple(sorted(outcomes.items())))
