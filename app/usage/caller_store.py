"""Rows of callers, one for each permission, turned into callers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from app import database
from app.usage.caller import Caller

_SELECT = "SELECT key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests FROM caller"


async def of_keys(key_ids: Collection[str]) -> list[Caller]:
    """All callers of these keys, those seen last first."""
    if not key_ids:
        return []
    marks = ", ".join("{}" for _ in key_ids)
    return _callers(await database.fetch(f"{_SELECT} WHERE key IN ({marks}) ORDER BY key, network, user_agent", *key_ids))


async def find(caller_id: str) -> Caller | None:
    found = _callers(await database.fetch(f"{_SELECT} WHERE id = {{}}", caller_id))
    return found[0] if found else None


def _callers(rows: Iterable[dict[str, Any]]) -> list[Caller]:
    found = [_caller(list(parts)) for _, parts in groupby(rows, lambda row: row["id"])]
    return sorted(found, key=lambda caller: (-caller.last_seen_at, caller.id))


def _caller(rows: list[dict[str, Any]]) -> Caller:
    return Caller(
        id=rows[0]["id"],
        key_id=rows[0]["key"],
        network=rows[0]["network"],
        user_agent=rows[0]["user_agent"],
        first_seen_at=min(row["first_seen_at"] for row in rows),
        last_seen_at=max(row["last_seen_at"] for row in rows),
        requests=sum(row["requests"] for row in rows),
        permissions=tuple(sorted(row["permission"] for row in rows if row["permission"])),
    )
