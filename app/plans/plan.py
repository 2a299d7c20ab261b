"""The use of a plan: pure arithmetic over key counts."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue import Plan


@dataclass(frozen=True, slots=True)
class Meter:
    """`used` counts keys neither revoked nor expired, and one of the two keys of an open rotation; `rotating`: open rotations.

    Both keys of a rotation count once its deadline has passed without revoking one. Then, and after a downgrade,
    `used` may exceed the limit: keys keep working, new ones are refused.
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
