"""Counting keys. There is no stored counter: expiry is a function of time, so a counter would drift."""

from __future__ import annotations

from app import database


async def count_keys(workspace_id: str, now: int) -> int:
    """Keys that take a slot: neither revoked nor expired."""
    rows = await database.fetch(
        "SELECT count(*) AS used FROM api_key WHERE workspace = {} AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > {})",
        workspace_id,
        now,
    )
    return int(rows[0]["used"])


async def counts(now: int) -> list[tuple[str, str, int]]:
    """Slug, plan and keys that take a slot, of every workspace, by slug."""
    rows = await database.fetch(
        "SELECT w.slug, w.plan, count(k.id) AS used FROM workspace w LEFT JOIN api_key k ON k.workspace = w.id"
        " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > {}) GROUP BY w.slug, w.plan ORDER BY w.slug",
        now,
    )
    return [(row["slug"], row["plan"], int(row["used"])) for row in rows]
