"""Reads the counters, and adds to them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from app import clock, database
from app.database.sql import living
from app.database.statements import Upsert
from app.keys.filters_sql import literal
from app.pace import in_slices
from app.usage.counters import CounterBatch
from app.usage.usage import SUCCESSES, Counts, Granularity, Part, PartOf

_ROWS_PER_STATEMENT: Final = 200
_PARTS: Final = {str(part): part for part in PartOf}
_SUCCESSES: Final = ", ".join(f"'{outcome}'" for outcome in sorted(SUCCESSES))
_CLOSED_DAYS: Final = (
    " UNION ALL SELECT '', d.day, d.permission, d.outcome, d.requests FROM workspace_day d"
    " WHERE d.workspace = {} AND d.day >= {} AND d.day < {}"
)
_SUCCESSFUL: Final = f"SUM(CASE WHEN u.outcome IN ({_SUCCESSES}) THEN u.requests ELSE 0 END)"


async def parts(key_ids: list[str], since: int, until: int, step: int) -> list[Part]:
    """The usage of these keys in the hours from `since` up to but not including `until`, in one statement: a row for each
    step (microseconds), permission and outcome of a key, so never more than an answer has."""
    if not key_ids:
        return []
    table, at = _counted_by(step)
    counted = f"SELECT key, {at} AS at, permission, outcome, requests FROM {table} WHERE key IN ({_marks(key_ids)})"
    return await _parts(await database.tuples(_split(f"{counted} AND {at} >= {{}} AND {at} < {{}}"), *key_ids, since, until))


async def workspace_parts(workspace_id: str, first: int, since: int, closed: int, until: int, step: int) -> list[Part]:
    """Like `parts`, for all keys of a workspace together, with steps from `first`, and permissions and outcomes from `since`;
    `key_id` is empty. Days before `closed` are read already added up."""
    table, at = _counted_by(step)
    counted = (
        f"SELECT '' AS key, u.{at} AS at, u.permission, u.outcome, SUM(u.requests) AS requests FROM {table} u"
        f" JOIN api_key k ON k.id = u.key WHERE k.workspace = {{}} AND u.{at} >= {{}} AND u.{at} < {{}} GROUP BY 2, 3, 4"
    )
    if closed <= first:
        text, arguments = _split(counted, " WHERE u.at >= {}"), [workspace_id, first, until]
    else:
        text = _split(counted + _CLOSED_DAYS, " WHERE u.at >= {}")
        arguments = [workspace_id, closed, until, workspace_id, first, closed]
    return await _parts(await database.tuples(text, *arguments, since, since))


async def rows(key_ids: list[str], since: int, until: int, granularity: Granularity) -> list[Sequence[Any]]:
    """Key, start of the step, permission, outcome and requests, in this order, of whole hours or days."""
    table, at = _counted_by(granularity.length)
    return await database.tuples(
        f"SELECT key, {at}, permission, outcome, requests FROM {table}"
        f" WHERE key IN ({_marks(key_ids)}) AND {at} >= {{}} AND {at} < {{}} ORDER BY key, {at}, permission, outcome",
        *(*key_ids, since, until),
    )


async def names_and_labels(workspace_id: str, after: str, most: int) -> dict[str, tuple[str, str]]:
    """The names and labels of a workspace's keys whose ids come after this one, by id; labels as words in one text."""
    found = await database.fetch(
        "SELECT id, name, labels FROM api_key WHERE workspace = {} AND id > {} ORDER BY id LIMIT {}", workspace_id, after, most
    )
    return {row["id"]: (row["name"], row["labels"]) for row in found}


async def permissions_used(key_ids: list[str], since: int, until: int) -> list[tuple[str, str]]:
    """Each key with each permission that it used successfully, in whole days."""
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


async def permissions_asked(key_id: str, since: int) -> set[str]:
    """The permissions that requests with the key asked for, whatever the answer, since the beginning of a day."""
    rows = await database.fetch(
        "SELECT DISTINCT permission FROM usage_day WHERE key = {} AND day >= {} AND permission <> ''", key_id, since
    )
    return {row["permission"] for row in rows}


async def unused_permissions(
    workspace_id: str, names: Sequence[str], *, since: int, created_until: int, now: int
) -> dict[str, frozenset[str]]:
    """Of the living keys created until then, those with permissions among `names` that no request asked for since the beginning
    of a day, each with these permissions."""
    if not names:
        return {}
    # One row for each name; a name is looked for as a whole word in the key's list.
    wanted = " UNION ALL ".join("SELECT CAST({} AS VARCHAR(120)) AS name, CAST({} AS VARCHAR(250)) AS held" for _ in names)
    pairs = [text for name in names for text in (name, f"% {literal(name)} %")]
    rows = await database.tuples(
        f"SELECT k.id, p.name FROM api_key k CROSS JOIN ({wanted}) p"
        f" WHERE k.workspace = {{}} AND k.created_at <= {{}} AND {living('k')}"
        " AND (' ' || k.permissions || ' ') LIKE p.held ESCAPE '!'"
        " AND NOT EXISTS (SELECT 1 FROM usage_day d WHERE d.key = k.id AND d.day >= {} AND d.permission = p.name)",
        *(*pairs, workspace_id, created_until, now, since),
    )
    found: dict[str, set[str]] = {}
    for key_id, name in rows:
        found.setdefault(key_id, set()).add(name)
    return {key_id: frozenset(unused) for key_id, unused in found.items()}


async def keys_refused_elsewhere(workspace_id: str, *, since: int) -> list[str]:
    """The living and ended keys of a workspace that were refused in another environment since an instant, by whole days."""
    # A literal, not a parameter: only then do both databases use the partial index on this outcome.
    rows = await database.fetch(
        "SELECT DISTINCT d.key FROM usage_day d JOIN api_key k ON k.id = d.key"
        " WHERE k.workspace = {} AND d.outcome = 'ENVIRONMENT_NOT_ALLOWED' AND d.day >= {}",
        *(workspace_id, since - since % clock.DAY),
    )
    return [row["key"] for row in rows]


async def last_used_in(workspace_id: str) -> int | None:
    """When any key of a workspace was last used."""
    (row,) = await database.fetch(
        "SELECT MAX(u.last_used_at) AS at FROM key_last_used u JOIN api_key k ON k.id = u.key WHERE k.workspace = {}", workspace_id
    )
    found: int | None = row["at"]
    return found


async def totals(key_ids: list[str], since: int, until: int, granularity: Granularity = Granularity.DAY) -> dict[str, Counts]:
    """Requests of each key in whole hours or days; keys without any are left out."""
    if not key_ids:
        return {}
    table, at = _counted_by(granularity.length)
    rows = await database.fetch(
        f"SELECT u.key, {_SUCCESSFUL} AS successful, SUM(u.requests) AS total FROM {table} u"
        f" WHERE u.key IN ({_marks(key_ids)}) AND u.{at} >= {{}} AND u.{at} < {{}} GROUP BY u.key",
        *key_ids,
        since,
        until,
    )
    return {row["key"]: Counts(int(row["successful"]), int(row["total"]) - int(row["successful"])) for row in rows}


async def days(key_ids: list[str], since: int, until: int) -> dict[tuple[str, int], Counts]:
    """Requests of each key on each day, by key and start of the day; days without any are left out."""
    if not key_ids:
        return {}
    rows = await database.tuples(
        f"SELECT u.key, u.day, {_SUCCESSFUL}, SUM(u.requests) FROM usage_day u"
        f" WHERE u.key IN ({_marks(key_ids)}) AND u.day >= {{}} AND u.day < {{}} GROUP BY u.key, u.day",
        *(*key_ids, since, until),
    )
    return {(key_id, int(day)): Counts(int(successful), int(total) - int(successful)) for key_id, day, successful, total in rows}


async def all_time(key_ids: list[str]) -> dict[str, tuple[Counts, int | None]]:
    """All requests of each key, and its first use, in one statement; keys without either are left out."""
    if not key_ids:
        return {}
    marks = _marks(key_ids)
    rows = await database.tuples(
        f"SELECT u.key, {_SUCCESSFUL} AS successful, SUM(u.requests) AS total, NULL AS first FROM usage_day u"
        f" WHERE u.key IN ({marks}) GROUP BY u.key"
        f" UNION ALL SELECT key, 0, 0, MIN(first_seen_at) FROM caller WHERE key IN ({marks}) GROUP BY key",
        *key_ids,
        *key_ids,
    )
    found: dict[str, tuple[Counts, int | None]] = {}
    for key_id, successful, total, first in rows:
        counts, known = found.get(key_id, (Counts(), None))
        more = Counts(int(successful), int(total) - int(successful))
        found[key_id] = counts + more, known if first is None else int(first)
    return found


async def mark(key_id: str, since: int) -> object:
    """A cheap value that changes with every request of a key that is counted on a day from this one on; for polls."""
    rows = await database.peek("SELECT SUM(requests) AS n FROM usage_day WHERE key = {} AND day >= {}", key_id, since)
    return rows[0]["n"]


async def counted(key_id: str) -> tuple[Counts, int | None]:
    """All requests of a key that are counted yet, and its last use; for polls."""
    (row,) = await database.peek(
        f"SELECT {_SUCCESSFUL} AS successful, SUM(u.requests) AS total,"
        " (SELECT last_used_at FROM key_last_used WHERE key = {}) AS last_used_at FROM usage_day u WHERE u.key = {}",
        *(key_id, key_id),
    )
    successful, total = int(row["successful"] or 0), int(row["total"] or 0)
    return Counts(successful, total - successful), row["last_used_at"]


async def sums(key_ids: list[str], instants: list[int]) -> dict[str, list[int]]:
    """Requests of each key in the hours since each of these instants; keys without any are left out."""
    if not key_ids:
        return {}
    parts = ", ".join(f"SUM(CASE WHEN hour >= {{}} THEN requests ELSE 0 END) AS n{index}" for index in range(len(instants)))
    rows = await database.fetch(
        f"SELECT key, {parts} FROM usage_hour WHERE key IN ({_marks(key_ids)}) AND hour >= {{}} GROUP BY key",
        *(*instants, *key_ids, min(instants)),
    )
    return {row["key"]: [int(row[f"n{index}"]) for index in range(len(instants))] for row in rows}


async def newest_hour(key_id: str) -> int | None:
    """The last hour with any count of a key."""
    rows = await database.fetch("SELECT max(hour) AS hour FROM usage_hour WHERE key = {}", key_id)
    return None if rows[0]["hour"] is None else int(rows[0]["hour"])


async def add(tally: CounterBatch) -> None:
    """Adds counts; call inside a transaction."""
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
    """Inside a transaction, around bulk changes of hours: computes the counters of days once at the end. Row by row, PostgreSQL
    would keep every version of a day's counter until the commit and scan all of them for the next."""
    await _forget_closed()
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


async def _forget_closed() -> None:
    """What jobs have added up, which they do again."""
    await database.fetch("DELETE FROM usage_closed")
    await database.fetch("DELETE FROM workspace_day")


def _marks(values: Iterable[object]) -> str:
    return ", ".join("{}" for _ in values)


def _counted_by(step: int) -> tuple[str, str]:
    """The table with counters for steps of this length, and its column with their start. Days have up to 24 times fewer."""
    return ("usage_day", "day") if step % clock.DAY == 0 else ("usage_hour", "hour")


def _split(counted: str, later: str = "") -> str:
    """The statement for `Part`s: what `counted` selects (key, at, permission, outcome, requests), summed in three ways; permissions
    and outcomes only `later`."""
    sums = f"{_SUCCESSFUL} AS successful, SUM(u.requests) AS total FROM counted u"
    counts = f"{sums}{later} GROUP BY u.key"
    return (
        f"WITH counted AS ({counted})"
        f" SELECT u.key, '{PartOf.SERIES}' AS part, u.at, '' AS name, {sums} GROUP BY u.key, u.at"
        f" UNION ALL SELECT u.key, '{PartOf.PERMISSIONS}', 0, u.permission, {counts}, u.permission"
        f" UNION ALL SELECT u.key, '{PartOf.OUTCOMES}', 0, u.outcome, {counts}, u.outcome"
    )


async def _parts(rows: list[Sequence[Any]]) -> list[Part]:
    return [_part(row) async for row in in_slices(rows)]


def _part(row: Sequence[Any]) -> Part:
    key_id, part, at, name, successful, total = row
    return Part(key_id, _PARTS[part], at, name, Counts(int(successful), int(total) - int(successful)))
