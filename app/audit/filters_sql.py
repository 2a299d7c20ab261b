"""The conditions of an audit log's filter in SQL, and the distinct values that it can be filtered by."""

from __future__ import annotations

import json
from typing import Any, Final

from app import database
from app.audit.entry import EntryFilter
from app.database.sql import contains, pattern

_SEARCHED: Final = ("actor_name", "actor_id", "action", "target", "address", "request_id")


def where_of(chain: str, filter: EntryFilter) -> tuple[str, list[Any]]:
    """The condition for the entries of a chain that match, and its arguments."""
    wanted = {
        "chain = {}": chain,
        "target = {}": filter.target,
        "action = {}": filter.action,
        "actor_id = {}": filter.actor,
        "at >= {}": filter.since,
        "at < {}": filter.until,
    }
    given = {text: value for text, value in wanted.items() if value is not None}
    search, arguments = _search(filter.search) if filter.search else ("", [])
    return " AND ".join(given) + search, [*given.values(), *arguments]


def _search(text: str) -> tuple[str, list[Any]]:
    """The text in any of the columns. Details are JSON, in which some characters of names are escaped."""
    alike = [contains(column, is_sqlite=database.is_sqlite()) for column in (*_SEARCHED, "detail")]
    patterns = [*(pattern(text) for _ in _SEARCHED), pattern(json.dumps(text, ensure_ascii=False)[1:-1])]
    return f" AND ({' OR '.join(alike)})", patterns


def distinct(column: str) -> str:
    """`WITH … found(value)`: the values of a column in a chain, in one step of its index for each, however long the chain is.
    Takes the chain twice, and ends with a null."""
    return (
        f"WITH RECURSIVE found(value) AS (SELECT MIN({column}) FROM audit_entry WHERE chain = {{}} UNION ALL"
        f" SELECT (SELECT MIN({column}) FROM audit_entry WHERE chain = {{}} AND {column} > found.value)"
        " FROM found WHERE found.value IS NOT NULL)"
    )
