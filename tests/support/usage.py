"""Sample usage of keys: requests in every hour and many callers, written by SQL because counting them would take hours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from app import database, ids
from app.clock import DAY, HOUR
from app.request_log.request import REQUEST_ID
from app.usage import log as usage_log
from app.usage import store
from app.usage.caller import CALLER_ID
from app.usage.counters import CounterBatch, Use

PERMISSION: Final = "pdf.read"
_ROWS_AT_ONCE: Final = 100
_HOURS: Final = (
    "WITH RECURSIVE h(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM h WHERE n < {})"
    " INSERT INTO usage_hour (key, hour, permission, outcome, requests)"
    f" SELECT {{}}, CAST({{}} AS BIGINT) - n * CAST({HOUR} AS BIGINT), '{PERMISSION}', {{}}, 1 + n % 90 FROM h WHERE n % {{}} = 0"
)
_CALLER: Final = "({}, {}, 'curl', {}, {}, {}, {}, 5)"


async def use(key_ids: Iterable[str], *, days: int, callers: int, every: int = 1) -> None:
    """Adds usage for each key in every hour (or every `every` hours) of these days, a third of it refused, by so many callers."""
    now = await database.now()
    async with database.transaction():
        for key_id in key_ids:
            for outcome, times in (("VALID", 1), ("EXPIRED", 3)):
                await database.fetch(_HOURS, days * 24, key_id, now - now % HOUR, outcome, every * times)
            for start in range(0, callers, _ROWS_AT_ONCE):
                await _meet(key_id, range(start, min(start + _ROWS_AT_ONCE, callers)), now)


async def logged(key_id: str, outcome: str = "VALID", **other: Any) -> str:
    """Counts and logs one request of a key, as a verification does; returns its id."""
    now, request_id = await database.now(), ids.new(REQUEST_ID)
    usual = {"permission": PERMISSION, "network": "203.0.113.0/24", "user_agent": "curl", "address": "203.0.113.9", "rule": None}
    moment = {"hour": now - now % HOUR, "first_at": now, "last_at": now}
    use = Use(**{"key_id": key_id, "outcome": outcome, "requests": 1, "request_id": request_id, **usual, **moment, **other})
    await usage_log.current().open()
    await usage_log.current().append([use])
    return use.request_id or request_id


async def logged_only(key_id: str) -> str:
    """A logged request that is not counted, so that no rule looks at the key because of it; returns its id."""
    row = (ids.new(REQUEST_ID), key_id, await database.now(), "VALID", PERMISSION, "203.0.113.0/24", "curl", None)
    tally = CounterBatch(logged=[row])
    async with database.transaction():
        await store.add(tally)
    return row[0]


async def _meet(key_id: str, numbers: range, now: int) -> None:
    rows = [(key_id, f"203.0.{n}.0/24", PERMISSION, ids.new(CALLER_ID), now - 20 * DAY, now - n * HOUR) for n in numbers]
    columns = "key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests"
    values = [value for row in rows for value in row]
    await database.fetch(f"INSERT INTO caller ({columns}) VALUES {', '.join([_CALLER] * len(rows))}", *values)
