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
