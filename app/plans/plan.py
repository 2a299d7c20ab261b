"""The meter of a plan: pure arithmetic over counted keys."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue import Plan


@dataclass(frozen=True, slots=True)
class Meter:
    """`used` counts keys neither revoked nor expired, and of the two keys of an open rotation one; `rotating` such pairs.

    Both keys of a rotation count once a deadline has passed that keeps them. `used` may exceed the limit, then and after a
    downgrade: keys keep working, new ones are refused.
    """

    plan: Plan
    used: int
    rotating: int = 0

    @property
    def limit(self) -> int | None:
        """None: unlimited."""
        return self.plan.max_api_keys

    @property
    def remaining(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def has_room(self) -> bool:
        return self.plan.allows(self.used + 1)
