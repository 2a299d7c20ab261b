"""A bucket of attempts as frozen data: how many it allows, and when it is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.clock import MINUTE, SECOND, TOLERATED

LIMIT_OF_USER_WHEN_CROWDED: Final = 5


@dataclass(frozen=True, slots=True)
class Bucket:
    """Allows `limit` attempts within `window` microseconds of the first one.

    An `overall` bucket counts everyone's attempts and refuses none. While it is full, the buckets after it allow
    `limit_when_crowded`.
    """

    name: str
    limit: int = 10
    window: int = 5 * MINUTE
    limit_when_crowded: int = LIMIT_OF_USER_WHEN_CROWDED
    overall: bool = False

    def is_exceeded(self, window_start: int, attempts: int, now: int, *, crowded: bool) -> bool:
        """Whether `attempts` are too many for a window that began at `window_start` and is not over yet."""
        limit = self.limit_when_crowded if crowded else self.limit
        return attempts > limit and window_start <= now + TOLERATED and now < window_start + self.window

    def retry_after_seconds(self, window_start: int, now: int) -> int:
        """Until the window ends, rounded up."""
        return -(-(window_start + self.window - now) // SECOND)
