"""Counts keys. There is no stored counter: expiry is a function of time, so a counter would drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app import database
from app.database.sql import living

# Of the two keys of an open rotation one counts, until a deadline passes that keeps both.
_SHARES: Final = "(r.on_deadline = 'REVOKE' OR r.deadline > {})"
_PAIRS: Final = (
    f"SELECT r.workspace, count(*) AS rotating, SUM(CASE WHEN {_SHARES} THEN 1 ELSE 0 END) AS sharing FROM rotation r"
    " JOIN api_key p ON p.id = r.predecessor JOIN api_key s ON s.id = r.successor"
    f" WHERE r.ended_at IS NULL AND {living('p')} AND {living('s')}"
)


async def count_keys(workspace_ids: Sequence[str], now: int) -> dict[str, tuple[int, int]]:
    """Used slots and open rotations of these workspaces; those without living keys are left out."""
    marks = ", ".join("{}" for _ in workspace_ids)
    rows = await database.fetch(
        f"SELECT k.workspace, count(*) AS living, max(pairs.sharing) AS sharing, max(pairs.rotating) AS rotating FROM api_key k"
        f" LEFT JOIN ({_PAIRS} AND r.workspace IN ({marks}) GROUP BY r.workspace) pairs ON pairs.workspace = k.workspace"
        f" WHERE k.workspace IN ({marks}) AND {living('k')} GROUP BY k.workspace",
        *(now, now, now, *workspace_ids, *workspace_ids, now),
    )
    return {row["workspace"]: (_used(row), int(row["rotating"] or 0)) for row in rows}


async def counts(now: int) -> list[tuple[str, str, int]]:
    """Slug, plan and used slots of every workspace, by slug."""
    rows = await database.fetch(
        "SELECT w.slug, w.plan, count(k.id) AS living, max(pairs.sharing) AS sharing FROM workspace w"
        f" LEFT JOIN api_key k ON k.workspace = w.id AND {living('k')}"
        f" LEFT JOIN ({_PAIRS} GROUP BY r.workspace) pairs ON pairs.workspace = w.id"
        " GROUP BY w.slug, w.plan ORDER BY w.slug",
        *(now, now, now, now),
    )
    return [(row["slug"], row["plan"], _used(row)) for row in rows]


def _used(row: dict[str, Any]) -> int:
    return int(row["living"]) - int(row["sharing"] or 0)
