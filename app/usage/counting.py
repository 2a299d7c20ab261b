"""Grouping: many requests become few rows, in the order in which every writer takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.clock import MINUTE, hour_of
from app.database.statements import Upsert
from app.usage.caller import FOLDED, caller_id, family_of, network_of

MOST_CALLERS_A_MINUTE: Final = 256
Who = tuple[str, str]

_HOUR_COLUMNS: Final = (
    ("key", "varchar"),
    ("hour", "bigint"),
    ("permission", "varchar"),
    ("outcome", "varchar"),
    ("requests", "bigint"),
)
_USED_COLUMNS: Final = (("key", "varchar"), ("last_used_at", "bigint"), ("last_used_ip", "varchar"))
_CALLER_COLUMNS: Final = (
    ("key", "varchar"),
    ("network", "varchar"),
    ("user_agent", "varchar"),
    ("permission", "varchar"),
    ("id", "varchar"),
    ("first_seen_at", "bigint"),
    ("last_seen_at", "bigint"),
    ("requests", "bigint"),
)
_ADD: Final = "ON CONFLICT (key, hour, permission, outcome) DO UPDATE SET requests = usage_hour.requests + excluded.requests"
_LATER: Final = (
    "ON CONFLICT (key) DO UPDATE SET last_used_at = excluded.last_used_at, last_used_ip = excluded.last_used_ip"
    " WHERE key_last_used.last_used_at IS NULL OR key_last_used.last_used_at < excluded.last_used_at"
)
_MEET: Final = (
    "ON CONFLICT (key, network, user_agent, permission) DO UPDATE SET requests = caller.requests + excluded.requests,"
    " first_seen_at = CASE WHEN excluded.first_seen_at < caller.first_seen_at"
    " THEN excluded.first_seen_at ELSE caller.first_seen_at END,"
    " last_seen_at = CASE WHEN excluded.last_seen_at > caller.last_seen_at"
    " THEN excluded.last_seen_at ELSE caller.last_seen_at END"
)
CROWD: Final = (FOLDED, FOLDED)


class Door:
    """Limits the distinct callers of a key to MOST_CALLERS_A_MINUTE; further ones are counted together, as CROWD.

    A client that changes its address with every request therefore cannot fill the table. State is kept for one minute, and
    a process has one instance.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._inside: dict[str, set[Who]] = {}

    def admit(self, key_id: str, now: int, address: str | None, user_agent: str | None) -> Who:
        """The network and the family under which a request is counted."""
        who = (network_of(address), family_of(user_agent))
        if now // MINUTE != self._minute:
            self._minute, self._inside = now // MINUTE, {}
        inside = self._inside.get(key_id)
        if inside is None:
            inside = self._inside[key_id] = set()
        if who not in inside:
            if len(inside) >= MOST_CALLERS_A_MINUTE:
                return CROWD
            inside.add(who)
        return who


DOOR: Final = Door()


@dataclass(slots=True)
class Tally:
    """What a batch adds to the counters. `last_used_at` and when a caller was last seen never go back."""

    hours: dict[tuple[str, int, str, str], int] = field(default_factory=dict)
    used: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    callers: dict[tuple[str, str, str, str], list[int]] = field(default_factory=dict)

    def count(self, key_id: str, at: int, permission: str | None, outcome: str) -> None:
        """One more request of a key."""
        slot = (key_id, hour_of(at), permission or "", outcome)
        self.hours[slot] = self.hours.get(slot, 0) + 1

    def use(self, key_id: str, at: int, address: str | None) -> None:
        """The key was good and was used."""
        known = self.used.get(key_id)
        if known is None or known[0] <= at:
            self.used[key_id] = (at, address)

    def meet(self, key_id: str, who: Who, permission: str | None, first: int, last: int, requests: int) -> None:
        """Somebody whom the door has admitted used the good key; 0 `requests` where a report will count them."""
        slot = (key_id, *who, permission or "")
        seen = self.callers.get(slot)
        if seen is None:
            self.callers[slot] = [first, last, requests]
        else:
            seen[:] = min(seen[0], first), max(seen[1], last), seen[2] + requests

    def upserts(self) -> list[Upsert]:
        """In the order in which every writer takes the tables and their rows; empty if nothing was counted."""
        found = []
        if self.hours:
            found.append(Upsert("usage_hour", _HOUR_COLUMNS, _ADD, sorted((*slot, n) for slot, n in self.hours.items())))
        if self.used:
            found.append(Upsert("key_last_used", _USED_COLUMNS, _LATER, sorted((k, *use) for k, use in self.used.items())))
        if self.callers:
            rows = [(*slot, caller_id(*slot[:3]), *seen) for slot, seen in sorted(self.callers.items())]
            found.append(Upsert("caller", _CALLER_COLUMNS, _MEET, rows))
        return found
