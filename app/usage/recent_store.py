"""What rules about unusual use read: recent refusals and callers, and the keys that were used since they were last evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app import database
from app.clock import HOUR, MINUTE, SECOND
from app.usage.caller import FOLDED

Row = Sequence[Any]
# Refusals older than this are kept without their networks, and after KEPT not at all.
_APART: Final = 20 * MINUTE
KEPT: Final = 2 * HOUR
# A key that was taken for evaluation by a node that died is taken again.
_GIVEN_UP: Final = 30 * SECOND


async def take(now: int, every: int, most: int) -> list[str]:
    """Up to `most` keys that were used since they were evaluated, the longest waiting first; each is taken once in `every`."""
    await database.settle()
    async with database.transaction():
        rows = await database.fetch(
            "UPDATE key_watch SET fresh = 2, evaluated_at = {} WHERE key IN (SELECT key FROM key_watch WHERE"
            " (fresh = 1 AND evaluated_at <= {}) OR (fresh = 2 AND evaluated_at <= {}) ORDER BY evaluated_at, key LIMIT {})"
            " RETURNING key",
            *(now, now - every, now - _GIVEN_UP, most),
        )
    return [row["key"] for row in rows]


async def is_any_fresh(now: int, every: int) -> bool:
    """Whether `take` would find a key."""
    rows = await database.fetch(
        "SELECT 1 AS found FROM key_watch WHERE (fresh = 1 AND evaluated_at <= {}) OR (fresh = 2 AND evaluated_at <= {}) LIMIT 1",
        *(now - every, now - _GIVEN_UP),
    )
    return bool(rows)


async def done(key_ids: Sequence[str]) -> None:
    """Ends the evaluation of these keys; those used meanwhile stay fresh."""
    async with database.transaction():
        await database.fetch(f"UPDATE key_watch SET fresh = 0 WHERE fresh = 2 AND key IN ({_marks(key_ids)})", *key_ids)


async def refusals(key_ids: Sequence[str], since: int) -> list[Row]:
    """key, slot, permission, outcome, network, requests, first and last instant."""
    return await database.tuples(
        "SELECT key, slot, permission, outcome, network, requests, first_at, last_at FROM key_refusal"
        f" WHERE key IN ({_marks(key_ids)}) AND last_at > {{}} ORDER BY key, slot",
        *key_ids,
        since,
    )


async def hours(key_ids: Sequence[str], since: int) -> list[Row]:
    """key, hour, permission, outcome, requests."""
    return await database.tuples(
        f"SELECT key, hour, permission, outcome, requests FROM usage_hour WHERE key IN ({_marks(key_ids)}) AND hour >= {{}}",
        *key_ids,
        since,
    )


async def visits(key_ids: Sequence[str], since: int) -> list[Row]:
    """key, network, user agent, permission, first and last instant, requests: of callers seen since."""
    return await database.tuples(
        "SELECT key, network, user_agent, permission, first_seen_at, last_seen_at, requests FROM caller"
        f" WHERE key IN ({_marks(key_ids)}) AND last_seen_at > {{}}",
        *key_ids,
        since,
    )


async def days(key_id: str) -> list[tuple[int, str, str]]:
    """All days of use of a key with permission and outcome, oldest first."""
    rows = await database.tuples("SELECT day, permission, outcome FROM usage_day WHERE key = {} ORDER BY day", key_id)
    return [(row[0], row[1], row[2]) for row in rows]


async def first_use(key_id: str) -> int | None:
    """When a key was first used: by a caller, or in an hour."""
    rows = await database.fetch(
        "SELECT min(at) AS at FROM (SELECT min(hour) AS at FROM usage_hour WHERE key = {} UNION ALL"
        " SELECT min(first_seen_at) AS at FROM caller WHERE key = {}) found",
        *(key_id, key_id),
    )
    found: int | None = rows[0]["at"]
    return found


async def seen_elsewhere(workspace_id: str, networks: Sequence[str], before: int) -> set[str]:
    """Those of these networks that used any key of the workspace before this instant."""
    rows = await database.fetch(
        "SELECT DISTINCT network FROM caller WHERE key IN (SELECT id FROM api_key WHERE workspace = {})"
        f" AND network IN ({_marks(networks)}) AND first_seen_at < {{}}",
        *(workspace_id, *networks, before),
    )
    return {row["network"] for row in rows}


async def forget_old() -> None:
    """Drops the networks of older refusals, then the refusals, and keys that were not used for a while."""
    now = await database.now()
    await database.settle()
    async with database.transaction():
        await database.fetch(
            "INSERT INTO key_refusal (key, slot, permission, outcome, network, requests, first_at, last_at)"
            " SELECT key, slot, permission, outcome, {}, SUM(requests), MIN(first_at), MAX(last_at) FROM key_refusal"
            " WHERE slot < {} AND network <> {} GROUP BY key, slot, permission, outcome"
            " ON CONFLICT (key, slot, permission, outcome, network)"
            " DO UPDATE SET requests = key_refusal.requests + excluded.requests",
            *(FOLDED, now - _APART, FOLDED),
        )
        await database.fetch("DELETE FROM key_refusal WHERE slot < {} AND network <> {}", now - _APART, FOLDED)
        await database.fetch("DELETE FROM key_refusal WHERE slot < {}", now - KEPT)
        await database.fetch("DELETE FROM key_watch WHERE fresh = 0 AND evaluated_at < {}", now - HOUR)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("{}" for _ in values)
