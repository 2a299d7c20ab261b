"""Keys of all workspaces, page by page, for looking at what a new catalogue would mean to them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app import database
from app.keys import store as key_store
from app.keys.key import ApiKey

_PAGE = 500


async def living_keys(now: int) -> AsyncIterator[tuple[str, ApiKey]]:
    """Every key that can still be used, with its workspace's slug, by id; no transaction spans two pages."""
    after = ""
    while True:
        rows = await database.fetch(
            "SELECT k.id, w.slug FROM api_key k JOIN workspace w ON w.id = k.workspace WHERE k.revoked_at IS NULL"
            " AND (k.expires_at IS NULL OR k.expires_at > {}) AND k.id > {} ORDER BY k.id LIMIT {}",
            now,
            after,
            _PAGE,
        )
        keys = await key_store.by_id([row["id"] for row in rows])
        for row in rows:
            yield row["slug"], keys[row["id"]]
        if len(rows) < _PAGE:
            return
        after = rows[-1]["id"]
