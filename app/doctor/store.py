"""Reads the keys of all workspaces in pages, for the preview of a new catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app import database
from app.database.sql import living
from app.keys import store as key_store
from app.keys.key import ApiKey

_PAGE = 500


async def living_keys(now: int) -> AsyncIterator[tuple[str, ApiKey]]:
    """Every live key with its workspace's slug, ordered by id; no transaction spans two pages."""
    after = ""
    while True:
        rows = await database.fetch(
            "SELECT k.id, w.slug FROM api_key k JOIN workspace w ON w.id = k.workspace"
            f" WHERE {living('k')} AND k.id > {{}} ORDER BY k.id LIMIT {{}}",
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
