"""Rate limits: token buckets of points, where an operation takes as many points as it costs.

Each caller has a bucket, and each workspace one for all its management keys together, so that many keys do not bypass the
limit. Buckets are kept in the process: a caller has one on each node.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.access.actor import Actor
from app.api.execution.cost import BUDGET
from app.api.execution.http import Refused

# The minimum charge: every request costs something.
LEAST: Final = 10
# The time on one core that a point represents, approximately.
POINT_SECONDS: Final = 0.00001
# The least recently used buckets are dropped first; they are full by then.
MOST_BUCKETS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """A bucket's capacity in points, and its refill rate per second."""

    name: str
    size: int
    per_second: int

    @property
    def window(self) -> int:
        """Seconds until an empty bucket is full."""
        return math.ceil(self.size / self.per_second)


CALLER: Final = Quota("caller", 200_000, 10_000)
WORKSPACE: Final = Quota("workspace", 400_000, 20_000)


@dataclass(frozen=True, slots=True)
class SpentPoints:
    """The cost of an operation, and the points left in the emptier of its caller's buckets."""

    cost: int
    quota: Quota
    remaining: int

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit` and its policy (draft-ietf-httpapi-ratelimit-headers)."""
        full = math.ceil((self.quota.size - self.remaining) / self.quota.per_second)
        return {
            "ratelimit-policy": f'"{self.quota.name}";q={self.quota.size};w={self.quota.window}',
            "ratelimit": f'"{self.quota.name}";r={self.remaining};t={full}',
        }

    @property
    def extension(self) -> dict[str, Any]:
        """`extensions.cost` of the response. The points left are in the headers: the same request has the same body."""
        return {"requested": self.cost, "limit": BUDGET}


class Rates:
    """The buckets of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Caller → the bucket's level, and when it was measured.
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def require(self, actor: Actor) -> None:
        """Raises Refused (429) if the caller cannot afford any request; takes no points."""
        self._enough(actor, LEAST, self._clock())

    def charge(self, actor: Actor, points: float) -> None:
        """Takes points for work done before its cost was known; the level may become negative."""
        now = self._clock()
        for quota, name in _buckets(actor):
            self._set(quota, name, self._level((quota, name), now) - points, now)

    def spend(self, actor: Actor, cost: int) -> SpentPoints:
        """Takes the points out of all of the caller's buckets, or raises Refused (429) and takes none."""
        now, wanted = self._clock(), max(cost, LEAST)
        levels = self._enough(actor, wanted, now)
        for (quota, name), level in levels.items():
            self._set(quota, name, level - wanted, now)
        (quota, _), level = min(levels.items(), key=lambda item: item[1] / item[0][0].size)
        return SpentPoints(cost, quota, int(level - wanted))

    def give_back(self, actor: Actor, cost: int) -> None:
        """Refunds an operation that was refused before execution, except for the minimum charge."""
        for quota, name in _buckets(actor):
            if (quota.name, name) in self._buckets:
                level, since = self._buckets[(quota.name, name)]
                self._buckets[(quota.name, name)] = (min(level + max(cost - LEAST, 0), quota.size), since)

    def _enough(self, actor: Actor, wanted: int, now: float) -> dict[tuple[Quota, str], float]:
        """The levels of the caller's buckets. Raises Refused if one is too low."""
        levels = {bucket: self._level(bucket, now) for bucket in _buckets(actor)}
        for (quota, _), level in levels.items():
            if level < wanted:
                raise self._refusal(quota, level, wanted)
        return levels

    def _set(self, quota: Quota, name: str, level: float, now: float) -> None:
        self._buckets[(quota.name, name)] = (level, now)
        self._buckets.move_to_end((quota.name, name))
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)

    def _level(self, bucket: tuple[Quota, str], now: float) -> float:
        quota, name = bucket
        level, since = self._buckets.get((quota.name, name), (quota.size, now))
        return min(level + (now - since) * quota.per_second, quota.size)

    def _refusal(self, quota: Quota, level: float, wanted: int) -> Refused:
        seconds = math.ceil((wanted - level) / quota.per_second)
        message = (
            f"The {quota.name} has {max(int(level), 0):,} points left and this operation costs {wanted:,}; it regains"
            f" {quota.per_second:,} a second. Try again in {seconds} s."
        )
        spent = SpentPoints(wanted, quota, max(int(level), 0))
        return Refused(429, "TOO_MANY_REQUESTS", message, retry_after=str(seconds), **_underscored(spent.headers))


def _underscored(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


def _buckets(actor: Actor) -> list[tuple[Quota, str]]:
    own = (CALLER, actor.id)
    return [own] if actor.workspace_id is None else [own, (WORKSPACE, actor.workspace_id)]
