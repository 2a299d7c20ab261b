"""Rows of hours that are folded into days, and of a workspace's closed days."""

from __future__ import annotations

from typing import Final

from app import database
from app.clock import DAY
from app.usage.counters import CounterBatch
from app.usage.store import add

HOURS: Final = "hours"
_LOCK_MILLISECONDS: Final = 200


async def watermark(what: str) -> int:
    """The day up to which a workspace's days are closed, or hours are folded; 0: none."""
    rows = await database.fetch("SELECT before FROM usage_closed WHERE what = {}", what)
    return int(rows[0]["before"]) if rows else 0


async def advance_watermark(what: str, before: int) -> None:
    """Never moves backwards; call inside a transaction."""
    await database.fetch(
        "INSERT INTO usage_closed (what, before) VALUES ({}, {}) ON CONFLICT (what) DO UPDATE SET before = excluded.before"
        " WHERE usage_closed.before < excluded.before",
        *(what, before),
    )


async def keys_after(after: str, most: int) -> list[str]:
    """The ids of keys, in order, that come after this one."""
    rows = await database.fetch("SELECT id FROM api_key WHERE id > {} ORDER BY id LIMIT {}", after, most)
    return [row["id"] for row in rows]


async def unfolded(key_ids: list[str], since: int, until: int, most: int) -> list[tuple[str, int]]:
    """Keys with days in this time that have hours beside the day's first."""
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(
        f"SELECT DISTINCT key, hour - hour % {DAY} AS day FROM usage_hour"
        f" WHERE key IN ({marks}) AND hour >= {{}} AND hour < {{}} AND hour % {DAY} <> 0 ORDER BY key, day LIMIT {{}}",
        *(*key_ids, since, until, most),
    )
    return [(row["key"], row["day"]) for row in rows]


async def fold(days: list[tuple[str, int]]) -> None:
    """Moves the counts of each key's day to its first hour; call inside a transaction. The day's counters do not change."""
    if not database.is_sqlite():
        await database.fetch("SELECT set_config('keydesk.days_unchanged', 'yes', true)")
    tally = CounterBatch()
    for key_id, day in days:
        gone = await database.fetch(
            "DELETE FROM usage_hour WHERE key = {} AND hour > {} AND hour < {} RETURNING permission, outcome, requests",
            *(key_id, day, day + DAY),
        )
        for row in gone:
            slot = (key_id, day, row["permission"], row["outcome"])
            tally.hours[slot] = tally.hours.get(slot, 0) + int(row["requests"])
    await add(tally)
    if not database.is_sqlite():
        await database.fetch("SELECT set_config('keydesk.days_unchanged', 'no', true)")


async def open_workspace(before: int) -> str | None:
    """A workspace whose days are not closed up to this one, or are beyond it."""
    rows = await database.fetch(
        "SELECT w.id FROM workspace w LEFT JOIN usage_closed c ON c.what = w.id"
        " WHERE c.before IS NULL OR c.before <> {} ORDER BY w.id LIMIT 1",
        before,
    )
    return rows[0]["id"] if rows else None


async def reopen(workspace_id: str, before: int) -> None:
    """Closes no day from this one on, if the clock was ahead; call inside a transaction."""
    await database.fetch("UPDATE usage_closed SET before = {} WHERE what = {} AND before > {}", before, workspace_id, before)
    await database.fetch("DELETE FROM workspace_day WHERE workspace = {} AND day >= {}", workspace_id, before)


async def first_day(workspace_id: str) -> int | None:
    """The first day on which a key of the workspace was used."""
    rows = await database.fetch(
        "SELECT MIN(u.day) AS day FROM usage_day u JOIN api_key k ON k.id = u.key WHERE k.workspace = {}", workspace_id
    )
    found: int | None = rows[0]["day"]
    return found


async def close_day(workspace_id: str, day: int) -> None:
    """Adds up a day of all keys of a workspace; call inside a transaction. What is counted later is added to both."""
    if not database.is_sqlite():  # there nobody counts during a transaction
        await database.fetch("SELECT set_config('lock_timeout', {}, true)", f"{_LOCK_MILLISECONDS}ms")
        await database.fetch("LOCK TABLE usage_day IN SHARE MODE")
    await database.fetch(
        "INSERT INTO workspace_day (workspace, day, permission, outcome, requests)"
        " SELECT k.workspace, u.day, u.permission, u.outcome, SUM(u.requests) FROM usage_day u JOIN api_key k ON k.id = u.key"
        " WHERE k.workspace = {} AND u.day = {} GROUP BY 1, 2, 3, 4"
        " ON CONFLICT (workspace, day, permission, outcome) DO UPDATE SET requests = excluded.requests",
        *(workspace_id, day),
    )
    await advance_watermark(workspace_id, day + DAY)
