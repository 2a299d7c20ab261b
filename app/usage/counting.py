"""Grouping: many requests become few rows, in the order in which every writer takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.clock import hour_of
from app.database.hot import Upsert

_HOUR_COLUMNS: Final = (
    ("key", "varchar"),
    ("hour", "bigint"),
    ("permission", "varchar"),
    ("outcome", "varchar"),
    ("requests", "bigint"),
)
_USED_COLUMNS: Final = (("key", "varchar"), ("last_used_at", "bigint"), ("last_used_ip", "varchar"))
_ADD: Final = "ON CONFLICT (key, hour, permission, outcome) DO UPDATE SET requests = usage_hour.requests + excluded.requests"
_LATER: Final = (
    "ON CONFLICT (key) DO UPDATE SET last_used_at = excluded.last_used_at, last_used_ip = excluded.last_used_ip"
    " WHERE key_last_used.last_used_at IS NULL OR key_last_used.last_used_at < excluded.last_used_at"
)


@dataclass(slots=True)
class Tally:
    """What a batch adds to the counters. `last_used_at` never goes back."""

    hours: dict[tuple[str, int, str, str], int] = field(default_factory=dict)
    used: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def count(self, key_id: str, at: int, permission: str | None, outcome: str) -> None:
        """One more request of a key."""
        slot = (key_id, hour_of(at), permission or "", outcome)
        self.hours[slot] = self.hours.get(slot, 0) + 1

    def use(self, key_id: str, at: int, address: str | None) -> None:
        """The key was good and was used."""
        known = self.used.get(key_id)
        if known is None or known[0] <= at:
            self.used[key_id] = (at, address)

    def upserts(self) -> list[Upsert]:
        """In the order in which every writer takes the tables and their rows; empty if nothing was counted."""
        found = []
        if self.hours:
            found.append(Upsert("usage_hour", _HOUR_COLUMNS, _ADD, sorted((*slot, n) for slot, n in self.hours.items())))
        if self.used:
            found.append(Upsert("key_last_used", _USED_COLUMNS, _LATER, sorted((k, *use) for k, use in self.used.items())))
        return found
