"""Reading the counters, and adding what services report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from app import database
from app.database.hot import Upsert
from app.usage.counting import Tally
from app.usage.usage import SUCCESSES, Counter, Counts

_ROWS_PER_STATEMENT: Final = 200
_SUCCESSFUL: Final = "SUM(CASE WHEN u.outcome IN ({}) THEN u.requests ELSE 0 END)".format(
    ", ".join(f"'{outcome}'" for outcome in sorted(SUCCESSES))
)


async def counters(key_ids: list[str], since: int, until: int) -> list[Counter]:
    """Every counter of these keys in the hours from `since` up to but not including `until`."""
    if not key_ids:
        return []
    rows = await database.fetch(
        f"SELECT * FROM usage_hour WHERE key IN ({_marks(key_ids)}) AND hour >= {{}} AND hour < {{}}", *key_ids, since, until
    )
    return [_counter(row) for row in rows]


async def workspace_counters(workspace_id: str, since: int, until: int) -> list[Counter]:
    """The same for all keys of a workspace together; `key_id` is empty."""
    rows = await database.fetch(
        "SELECT '' AS key, u.hour, u.permission, u.outcome, SUM(u.requests) AS requests FROM usage_hour u"
        " JOIN api_key k ON k.id = u.key WHERE k.workspace = {} AND u.hour >= {} AND u.hour < {}"
        " GROUP BY u.hour, u.permission, u.outcome",
        workspace_id,
        since,
        until,
    )
    return [_counter(row) for row in rows]


async def last_used_in(workspace_id: str) -> int | None:
    """When any key of a workspace was last used."""
    (row,) = await database.fetch(
        "SELECT MAX(u.last_used_at) AS at FROM key_last_used u JOIN api_key k ON k.id = u.key WHERE k.workspace = {}", workspace_id
    )
    found: int | None = row["at"]
    return found


async def totals(key_ids: list[str], since: int, until: int) -> dict[str, Counts]:
    """Requests of each key in a time; a key without any is left out."""
    if not key_ids:
        return {}
    rows = await database.fetch(
        f"SELECT u.key, {_SUCCESSFUL} AS successful, SUM(u.requests) AS total FROM usage_hour u"
        f" WHERE u.key IN ({_marks(key_ids)}) AND u.hour >= {{}} AND u.hour < {{}} GROUP BY u.key",
        *key_ids,
        since,
        until,
    )
    return {row["key"]: Counts(int(row["successful"]), int(row["total"]) - int(row["successful"])) for row in rows}


async def sums(key_ids: list[str], instants: list[int]) -> dict[str, list[int]]:
    """Requests of each key in the hours from each of these instants on; a key without any is left out."""
    if not key_ids:
        return {}
    parts = ", ".join(f"SUM(CASE WHEN hour >= {{}} THEN requests ELSE 0 END) AS n{index}" for index in range(len(instants)))
    rows = await database.fetch(
        f"SELECT key, {parts} FROM usage_hour WHERE key IN ({_marks(key_ids)}) AND hour >= {{}} GROUP BY key",
        *(*instants, *key_ids, min(instants)),
    )
    return {row["key"]: [int(row[f"n{index}"]) for index in range(len(instants))] for row in rows}


async def newest_hour(key_id: str) -> int | None:
    """The last hour in which anything of a key was counted."""
    rows = await database.fetch("SELECT max(hour) AS hour FROM usage_hour WHERE key = {}", key_id)
    return None if rows[0]["hour"] is None else int(rows[0]["hour"])


async def known_keys(key_ids: list[str], workspace_id: str | None) -> set[str]:
    """Those of the ids that are keys, of this workspace if one is named."""
    if not key_ids:
        return set()
    bound = " AND workspace = {}" if workspace_id is not None else ""
    more = [workspace_id] if workspace_id is not None else []
    rows = await database.fetch(f"SELECT id FROM api_key WHERE id IN ({_marks(key_ids)}){bound}", *key_ids, *more)
    return {row["id"] for row in rows}


async def claim_batch(gateway: str, batch: str, answer: str, now: int) -> bool:
    """Whether this batch is new; it waits for a transaction that has the same one under way."""
    rows = await database.fetch(
        "INSERT INTO usage_batch (gateway, batch, answer, received_at) VALUES ({}, {}, {}, {})"
        " ON CONFLICT (gateway, batch) DO NOTHING RETURNING batch",
        gateway,
        batch,
        answer,
        now,
    )
    return bool(rows)


async def answer_of(gateway: str, batch: str) -> str:
    """What a known batch was answered."""
    rows = await database.fetch("SELECT answer FROM usage_batch WHERE gateway = {} AND batch = {}", gateway, batch)
    return str(rows[0]["answer"])


async def forget_batches_before(instant: int) -> None:
    await database.fetch("DELETE FROM usage_batch WHERE received_at < {}", instant)


async def add(tally: Tally) -> None:
    """Adds what was counted; call inside a transaction."""
    for upsert in tally.upserts():
        for start in range(0, len(upsert.rows), _ROWS_PER_STATEMENT):
            await _upsert(upsert, upsert.rows[start : start + _ROWS_PER_STATEMENT])


async def _upsert(upsert: Upsert, rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(name for name, _ in upsert.columns)
    row = "(" + ", ".join("{}" for _ in upsert.columns) + ")"
    values = [value for each in rows for value in each]
    await database.fetch(f"INSERT INTO {upsert.table} ({names}) VALUES {', '.join([row] * len(rows))} {upsert.conflict}", *values)


def _marks(values: Iterable[object]) -> str:
    return ", ".join("{}" for _ in values)


def _counter(row: dict[str, Any]) -> Counter:
    return Counter(row["key"], row["hour"], row["permission"], row["outcome"], int(row["requests"]))
