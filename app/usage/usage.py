"""The usage of a key. `total = successful + failed`: it is computed at every read, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.clock import DAY, HOUR

SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
# An allowed verification, or one for which the service reported a status below 400. All other outcomes are failures.
SUCCESSES: Final = frozenset({"VALID", SUCCEEDED})
# Outcomes of requests that are a use of the key, because the key itself was good. All others were refused for the key's state.
USES: Final = frozenset({"VALID", "PERMISSION_DENIED", SUCCEEDED, FAILED})


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
    """Counts of requests."""

    successful: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.successful + self.failed

    @property
    def success_rate(self) -> float | None:
        """From 0 to 1; None if there were no requests."""
        return self.successful / self.total if self.total else None

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.successful + other.successful, self.failed + other.failed)


NONE: Final = Counts()


@dataclass(frozen=True, slots=True)
class Point:
    """The requests of one hour or day that begins at `at` (microseconds)."""

    at: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Totals:
    """All requests ever counted, and the first and last use (microseconds); None: never used."""

    counts: Counts = NONE
    first_used_at: int | None = None
    last_used_at: int | None = None

    def __add__(self, other: Totals) -> Totals:
        first = [at for at in (self.first_used_at, other.first_used_at) if at is not None]
        last = [at for at in (self.last_used_at, other.last_used_at) if at is not None]
        return Totals(self.counts + other.counts, min(first, default=None), max(last, default=None))


class PartOf(StrEnum):
    """The three ways to split usage."""

    SERIES = "series"
    PERMISSIONS = "permissions"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of a key in one step (which begins at `at`), or with the permission or the outcome `name` (an empty
    permission: none requested)."""

    key_id: str
    part: PartOf
    at: int
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals from `since` up to but not including `until`, split in three ways; `series` has every step, including empty ones."""

    since: int
    until: int
    counts: Counts
    series: tuple[Point, ...]
    by_permission: tuple[tuple[str, Counts], ...]
    by_outcome: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Requests in a number of whole steps, and in as many before them. `is_whole`: False if the period also has a step that is not
    over, which is left out."""

    total: int
    before: int
    steps: int
    granularity: Granularity
    is_whole: bool

    @property
    def change(self) -> float:
        """0.12: 12 % more than before."""
        return self.total / self.before - 1


def compare(parts: list[Part], first: int, since: int, over: int, until: int, granularity: Granularity) -> Comparison | None:
    """The requests from `since` to `over`, in a period up to `until`, beside those from `first` to `since`; None unless both have
    some, and the first ones were early in their time: of keys that were not used before, nothing is known."""
    steps = {part.at: part.counts.total for part in parts if part.part is PartOf.SERIES}
    total = sum(count for at, count in steps.items() if since <= at < over)
    earlier = {at: count for at, count in steps.items() if first <= at < since}
    number = (over - since) // granularity.length
    # A weekend without requests is usual at the beginning, half of the time is not.
    if not total or not earlier or min(earlier) > first + max(number // 4, 3) * granularity.length:
        return None
    return Comparison(total, sum(earlier.values()), number, granularity, over == until)


def summarise(parts: list[Part], since: int, until: int, granularity: Granularity) -> Usage:
    """Sums up the parts of one key (or of many together) from `since` up to but not including `until`."""
    steps = {part.at: part.counts for part in parts if part.part is PartOf.SERIES and part.at >= since}
    permissions = {part.name: part.counts for part in parts if part.part is PartOf.PERMISSIONS}
    outcomes = {part.name: part.counts.total for part in parts if part.part is PartOf.OUTCOMES}
    first = since - since % granularity.length
    series = tuple([Point(at, steps.get(at, NONE)) for at in range(first, until, granularity.length)])
    total = sum(steps.values(), NONE)
    return Usage(since, until, total, series, tuple(sorted(permissions.items())), tuple(sorted(outcomes.items())))
