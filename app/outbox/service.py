"""Puts items into the outbox, and deletes the traces of those that were handled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import database, ids
from app.outbox import store
from app.outbox.item import MESSAGE_ID, Item, Kind


async def put(kind: Kind, content: Mapping[str, Any], now: int, *, workspace_id: str | None = None) -> Item:
    """Inside the transaction of the change that it announces: both are committed, or neither. Raises RuntimeError outside one."""
    if not database.in_transaction():
        raise RuntimeError("what leaves the house is written in the transaction of its cause")
    item = Item(ids.new(MESSAGE_ID), kind, workspace_id, now, 0, dict(content))
    await store.add(item)
    return item


async def purge_done() -> None:
    """Deletes items that were handled long ago."""
    async with database.transaction():
        await store.purge(await database.now())
