"""Groups counts: many requests become few rows, in the order in which every writer locks them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.clock import MINUTE, hour_of
from app.database.statements import Upsert
from app.request_log import store as request_log
from app.usage.caller import FOLDED, caller_id, family_of, network_of
from app.usage.usage import SUCCESSES, USES

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
_REFUSAL_COLUMNS: Final = (
    ("key", "varchar"),
    ("slot", "bigint"),
    ("permission", "varchar"),
    ("outcome", "varchar"),
    ("network", "varchar"),
    ("requests", "bigint"),
    ("first_at", "bigint"),
    ("last_at", "bigint"),
)
_REFUSE: Final = (
    "ON CONFLICT (key, slot, permission, outcome, network) DO UPDATE SET requests = key_refusal.requests + excluded.requests,"
    " last_at = CASE WHEN excluded.last_at > key_refusal.last_at THEN excluded.last_at ELSE key_refusal.last_at END"
)
_WATCH_COLUMNS: Final = (("key", "varchar"), ("fresh", "smallint"), ("evaluated_at", "bigint"))
# A row that is marked already is only locked, so that the process that takes the mark waits for these counts.
_WATCH: Final = "ON CONFLICT (key) DO UPDATE SET fresh = 1 WHERE key_watch.fresh <> 1"
# The `requests` of a use that is counted with others already, and only to be logged.
COUNTED: Final = -1
OTHER_CALLERS: Final = (FOLDED, FOLDED)
# Refusals are kept by slots of this length.
SLOT: Final = 5 * MINUTE


class CallerLimiter:
    """Limits the distinct callers of a key to MOST_CALLERS_A_MINUTE; further ones are counted together, as OTHER_CALLERS.

    A client that changes its address with every request therefore cannot fill the table. State is kept for one minute, and
    a process has one instance.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._inside: dict[str, set[Who]] = {}

    def bucket(self, key_id: str, now: int, address: str | None, user_agent: str | None) -> Who:
        """The network and family under which a request is counted."""
        who = (network_of(address), family_of(user_agent))
        if now // MINUTE != self._minute:
            self._minute, self._inside = now // MINUTE, {}
        inside = self._inside.get(key_id)
        if inside is None:
            inside = self._inside[key_id] = set()
        if who not in inside:
            if len(inside) >= MOST_CALLERS_A_MINUTE:
                return OTHER_CALLERS
            inside.add(who)
        return who


CALLER_LIMITER: Final = CallerLimiter()
# For refused requests, so that they never keep a caller of a good key from being counted separately.
REFUSED_LIMITER: Final = CallerLimiter()


class Use(NamedTuple):
    """Requests of one key with one permission and outcome in one hour by one caller.

    `requests` is 0 for a request that a report will count, COUNTED for one that is counted already. `address` is that of the last
    one. Rows of the log from before refused requests had a caller have None for `first_at` and `last_at`. `request_id`: of a
    single request that is to be logged, with the `rule` that refused it.
    """

    key_id: str
    hour: int
    permission: str
    outcome: str
    network: str
    user_agent: str
    requests: int
    first_at: int | None
    last_at: int | None
    address: str | None
    request_id: str | None = None
    rule: str | None = None


@dataclass(slots=True)
class CounterBatch:
    """The increments of a batch. `last_used_at` and the last-seen times of callers never decrease."""

    hours: dict[tuple[str, int, str, str], int] = field(default_factory=dict)
    used: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    callers: dict[tuple[str, str, str, str], list[int]] = field(default_factory=dict)
    refusals: dict[tuple[str, int, str, str, str], list[int]] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    logged: list[request_log.NewRow] = field(default_factory=list)

    def count(self, key_id: str, at: int, permission: str | None, outcome: str) -> None:
        """Counts one request of a key."""
        slot = (key_id, hour_of(at), permission or "", outcome)
        self.hours[slot] = self.hours.get(slot, 0) + 1

    def touch(self, key_id: str, at: int, address: str | None) -> None:
        """Records a use of a valid key."""
        known = self.used.get(key_id)
        if known is None or known[0] <= at:
            self.used[key_id] = (at, address)

    def add_caller(self, key_id: str, who: Who, permission: str | None, first: int, last: int, requests: int) -> None:
        """Records a use of a valid key by a caller that the door has admitted; 0 `requests` if a report will count them."""
        slot = (key_id, *who, permission or "")
        seen = self.callers.get(slot)
        if seen is None:
            self.callers[slot] = [first, last, requests]
        else:
            seen[:] = min(seen[0], first), max(seen[1], last), seen[2] + requests

    def add(self, use: Use) -> None:
        """Counts these requests."""
        if use.request_id is not None and use.last_at is not None:
            at, who = use.last_at, use[4:6]
            self.logged.append((use.request_id, use.key_id, at, use.outcome, use.permission, *who, use.rule))
        if use.requests == COUNTED:
            return
        if use.requests:
            slot = use[:4]
            self.hours[slot] = self.hours.get(slot, 0) + use.requests
        self.watched.add(use.key_id)
        if use.outcome not in SUCCESSES:
            self.refuse(use)
        if use.outcome in USES and use.first_at is not None and use.last_at is not None:
            self.touch(use.key_id, use.last_at, use.address)
            self.add_caller(use.key_id, use[4:6], use.permission, use.first_at, use.last_at, use.requests)

    def refuse(self, use: Use) -> None:
        """Records failed requests for the rules that look at recent use; those without a time are only counted."""
        if use.first_at is None or use.last_at is None or not use.requests:
            return
        slot = (use.key_id, use.last_at - use.last_at % SLOT, use.permission, use.outcome, use.network)
        seen = self.refusals.get(slot)
        if seen is None:
            self.refusals[slot] = [use.requests, use.first_at, use.last_at]
        else:
            seen[:] = seen[0] + use.requests, min(seen[1], use.first_at), max(seen[2], use.last_at)

    def upserts(self) -> list[Upsert]:
        """The statements, in the order in which every writer locks tables and rows; empty if nothing was counted."""
        found = []
        if self.hours:
            found.append(Upsert("usage_hour", _HOUR_COLUMNS, _ADD, sorted((*slot, n) for slot, n in self.hours.items())))
        if self.used:
            found.append(Upsert("key_last_used", _USED_COLUMNS, _LATER, sorted((k, *use) for k, use in self.used.items())))
        if self.callers:
            rows = [(*slot, caller_id(*slot[:3]), *seen) for slot, seen in sorted(self.callers.items())]
            found.append(Upsert("caller", _CALLER_COLUMNS, _MEET, rows))
        if self.refusals:
            refused = [(*slot, *seen) for slot, seen in sorted(self.refusals.items())]
            found.append(Upsert("key_refusal", _REFUSAL_COLUMNS, _REFUSE, refused))
        if self.watched:
            found.append(Upsert("key_watch", _WATCH_COLUMNS, _WATCH, [(key, 1, 0) for key in sorted(self.watched)]))
        if self.logged:
            found.append(request_log.insertion(self.logged))
        return found
