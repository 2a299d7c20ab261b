"""Reading the counters, and adding what services report."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from app import clock, database
from app.database.statements import Upsert
from app.pace import unhurried
from app.usage.counting import Tally
from app.usage.usage import SUCCESSES, Counts, Part, PartOf

_ROWS_PER_STATEMENT: Final = 200
_PARTS: Final = {str(part): part for part in PartOf}
_SUCCESSES: Final = ", ".join(f"'{outcome}'" for outcome in sorted(SUCCESSES))
_SUCCESSFUL: Final = f"SUM(CASE WHEN u.outcome IN ({_SUCCESSES}) THEN u.requests ELSE 0 END)"


async def parts(key_ids: list[str], since: int, until: int, step: int) -> list[Part]:
    """What these keys were used for in the hours from `since` up to but not including `until`, in one statement: a row for each
    step (microseconds), permission and outcome of a key, so never more than an answer has."""
    if not key_ids:
        return []
    where = f"WHERE u.key IN ({_marks(key_ids)}) AND u.at >= {{}} AND u.at < {{}}"
    return await _parts(await database.tuples(_split("u.key", where, step), step, *key_ids, since, until))


async def workspace_parts(workspace_id: str, since: int, until: int, step: int) -> list[Part]:
    """The same for all keys of a workspace together; `key_id` is empty."""
    where = "JOIN api_key k ON k.id = u.key WHERE k.workspace = {} AND u.at >= {} AND u.at < {}"
    return await _parts(await database.tuples(_split("''", where, step), step, workspace_id, since, until))


async def permissions_used(key_ids: list[str], since: int, until: int) -> list[tuple[str, str]]:
    """Each key with each permission with which it was successful in whole days."""
    if not key_ids:
        return []
    rows = await database.fetch(
        f"SELECT DISTINCT key, permission FROM usage_day WHERE key IN ({_marks(key_ids)}) AND day >= {{}} AND day < {{}}"
        f" AND permission <> '' AND outcome IN ({_SUCCESSES})",
        *key_ids,
        since,
        until,
    )
    return [(row["key"], row["permission"]) for row in rows]


async def last_used_in(workspace_id: str) -> int | None:
    """When any key of a workspace was last used."""
    (row,) = await database.fetch(
        "SELECT MAX(u.last_used_at) AS at FROM key_last_used u JOIN api_key k ON k.id = u.key WHERE k.workspace = {}", workspace_id
    )
    found: int | None = row["at"]
    return found


async def totals(key_ids: list[str], since: int, until: int) -> dict[str, Counts]:
    """Requests of each key in whole days; a key without any is left out."""
    if not key_ids:
        return {}
    rows = await database.fetch(
        f"SELECT u.key, {_SUCCESSFUL} AS successful, SUM(u.requests) AS total FROM usage_day u"
        f" WHERE u.key IN ({_marks(key_ids)}) AND u.day >= {{}} AND u.day < {{}} GROUP BY u.key",
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


@contextlib.asynccontextmanager
async def days_made_once() -> AsyncIterator[None]:
    """Inside a transaction, around hours that come and go in great numbers: the counters of days are made of them at the end.
    Row by row PostgreSQL would keep each state of a day's counter until the commit and walk through all of them for the next."""
    if database.is_sqlite():
        yield
        return
    await database.fetch("ALTER TABLE usage_hour DISABLE TRIGGER usage_day_counts")
    yield
    await database.fetch("DELETE FROM usage_day")
    await database.fetch(
        "INSERT INTO usage_day (key, day, permission, outcome, requests)"
        " SELECT key, hour - hour % {}, permission, outcome, SUM(requests) FROM usage_hour GROUP BY 1, 2, 3, 4",
        clock.DAY,
    )
    await database.fetch("ALTER TABLE usage_hour ENABLE TRIGGER usage_day_counts")


def _marks(values: Iterable[object]) -> str:
    return ", ".join("{}" for _ in values)


def _split(key: str, where: str, step: int) -> str:
    """The statement for `Part`s: the counters are read once, and added up in three ways. Whole days are read from the days'
    counters, of which there are up to 24 times fewer."""
    table, at = ("usage_day", "day") if step % clock.DAY == 0 else ("usage_hour", "hour")
    told = f"{_SUCCESSFUL} AS successful, SUM(u.requests) AS total FROM counted u GROUP BY u.key"
    return (
        f"WITH counted AS (SELECT {key} AS key, u.at - u.at % {{}} AS at, u.permission, u.outcome, SUM(u.requests) AS requests"
        f" FROM (SELECT key, {at} AS at, permission, outcome, requests FROM {table}) u {where} GROUP BY 1, 2, 3, 4)"
        f" SELECT u.key, '{PartOf.SERIES}' AS part, u.at, '' AS name, {told}, u.at"
        f" UNION ALL SELECT u.key, '{PartOf.PERMISSIONS}', 0, u.permission, {told}, u.permission"
        f" UNION ALL SELECT u.key, '{PartOf.OUTCOMES}', 0, u.outcome, {told}, u.outcome"
    )


async def _parts(rows: list[Sequence[Any]]) -> list[Part]:
    return [_part(row) async for row in unhurried(rows)]


def _part(row: Sequence[Any]) -> Part:
    key_id, part, at, name, successful, total = row
    return Part(key_id, _PARTS[part], at, name, Counts(int(successful), int(total) - int(successful)))
