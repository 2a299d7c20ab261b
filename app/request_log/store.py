"""Rows of logged requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app import database
from app.database.sql import newest_first
from app.database.statements import Upsert
from app.keys.filters_sql import literal
from app.paging import Page, Window
from app.request_log.request import ACCEPTED, MOST_ACCEPTED, MOST_REFUSED, LoggedRequest, RequestFilter, decoded

# id, key, at, outcome, permission, network, user agent, rule
NewRow = tuple[str, str, int, str, str, str, str, str | None]
_COLUMNS: Final = (
    ("id", "varchar"),
    ("key", "varchar"),
    ("at", "bigint"),
    ("outcome", "varchar"),
    ("permission", "varchar"),
    ("network", "varchar"),
    ("user_agent", "varchar"),
    ("rule", "text"),
    ("accepted", "smallint"),
)
_SELECT: Final = "SELECT id, key, at, outcome, permission, network, user_agent, rule FROM logged_request"
# Of rows whose key has more than are kept, those after the newest.
_AFTER_THE_NEWEST: Final = (
    "SELECT id FROM (SELECT id, accepted, ROW_NUMBER() OVER (PARTITION BY key, accepted ORDER BY at DESC, id DESC) AS place"
    " FROM logged_request WHERE key IN ({})) ranked WHERE place > CASE accepted WHEN 1 THEN CAST({{}} AS BIGINT) ELSE {{}} END"
)
_SWITCHED_OFF: Final = (
    "SELECT r.id FROM workspace w JOIN api_key k ON k.workspace = w.id JOIN logged_request r ON r.key = k.id"
    " WHERE w.logs_requests = 0"
)


def insertion(rows: list[NewRow]) -> Upsert:
    """The statement that adds these requests, for the fold of the usage log."""
    found = sorted((*row, int(row[3] == ACCEPTED)) for row in rows)
    return Upsert("logged_request", _COLUMNS, "ON CONFLICT (id) DO NOTHING", found)


async def find(request_id: str) -> LoggedRequest | None:
    """Of any workspace. The caller of this function checks access to its key."""
    rows = await database.fetch(f"{_SELECT} WHERE id = {{}}", request_id)
    return _request(rows[0]) if rows else None


async def page(key_id: str, window: Window, wanted: RequestFilter) -> Page[LoggedRequest]:
    """Newest first; a position is `at` and the id."""
    bounds, order, arguments = newest_first(window, "at", "id")
    where, values = _where(key_id, wanted)
    return window.page([_request(row) for row in await database.fetch(f"{_SELECT} {where}{bounds} {order}", *values, *arguments)])


async def count(key_id: str, wanted: RequestFilter) -> int:
    where, values = _where(key_id, wanted)
    return int((await database.fetch(f"SELECT count(*) AS n FROM logged_request {where}", *values))[0]["n"])


async def crowded(since: int, after: str, most: int) -> list[str]:
    """Keys, in order of their ids, that come after this one, have requests since then, and have more than are kept."""
    rows = await database.fetch(
        "SELECT key FROM logged_request WHERE key IN (SELECT key FROM logged_request WHERE at >= {} AND key > {})"
        " GROUP BY key, accepted HAVING COUNT(*) > CASE accepted WHEN 1 THEN CAST({} AS BIGINT) ELSE {} END ORDER BY key LIMIT {}",
        *(since, after, MOST_ACCEPTED, MOST_REFUSED, most),
    )
    return sorted({row["key"] for row in rows})


async def trim(key_ids: Sequence[str]) -> None:
    """Deletes what each of these keys has beside its newest; call inside a transaction."""
    marks = ", ".join("{}" for _ in key_ids)
    await database.fetch(
        f"DELETE FROM logged_request WHERE id IN ({_AFTER_THE_NEWEST.format(marks)})", *key_ids, MOST_ACCEPTED, MOST_REFUSED
    )


async def is_any_due(since: int, refused_before: int) -> bool:
    """Whether anything was logged since then, refused before, or belongs to a workspace that keeps no log."""
    rows = await database.fetch(
        "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM logged_request WHERE at >= {})"
        f" OR EXISTS (SELECT 1 FROM logged_request WHERE at < {{}} AND accepted = 0) OR EXISTS ({_SWITCHED_OFF})",
        *(since, refused_before),
    )
    return bool(rows)


async def forget_refused(before: int, most: int) -> int:
    """Deletes up to `most` older refused requests; returns how many. Call inside a transaction."""
    return await _delete("SELECT id FROM logged_request WHERE at < {} AND accepted = 0 LIMIT {}", before, most)


async def forget_switched_off(most: int) -> int:
    """The same for requests of workspaces that keep no log."""
    return await _delete(f"{_SWITCHED_OFF} LIMIT {{}}", most)


async def _delete(found: str, *arguments: Any) -> int:
    return len(await database.fetch(f"DELETE FROM logged_request WHERE id IN ({found}) RETURNING id", *arguments))


def _where(key_id: str, wanted: RequestFilter) -> tuple[str, list[Any]]:
    text, values = "WHERE key = {}", list[Any]([key_id])
    for condition, value in (
        ("accepted = {}", None if wanted.accepted is None else int(wanted.accepted)),
        ("permission = {}", wanted.permission),
        ("at >= {}", wanted.since),
        ("at < {}", wanted.until),
    ):
        if value is not None:
            text, values = f"{text} AND {condition}", [*values, value]
    if wanted.outcomes:
        text, values = f"{text} AND outcome IN ({', '.join('{}' for _ in wanted.outcomes)})", [*values, *wanted.outcomes]
    if wanted.search:
        text += " AND (lower(user_agent) LIKE {} ESCAPE '!' OR network LIKE {} ESCAPE '!')"
        values = [*values, *[f"%{literal(wanted.search.lower())}%"] * 2]
    return text, values


def _request(row: dict[str, Any]) -> LoggedRequest:
    return LoggedRequest(
        id=row["id"],
        key_id=row["key"],
        at=row["at"],
        outcome=row["outcome"],
        permission=row["permission"] or None,
        network=row["network"],
        user_agent=row["user_agent"],
        rule=decoded(row["rule"]),
    )
