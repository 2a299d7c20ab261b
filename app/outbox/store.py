"""Rows of the outbox. Their content is sealed here, so that it is readable nowhere else."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from app import database
from app.outbox.item import KEPT, LONGEST_PAUSE, UNREADABLE, Item, Kind
from app.peppers import service as peppers
from app.peppers.pepper import PepperGone

# What is due later than any pause was written while the clock was ahead, and is due now.
_DUE: Final = "due_at IS NOT NULL AND (due_at <= {} OR due_at > {})"
_log = logging.getLogger("keydesk.outbox")


async def add(item: Item) -> None:
    """Inside the transaction of its cause."""
    await database.fetch(
        "INSERT INTO outbox (id, kind, workspace, content, created_at, due_at, attempts) VALUES ({}, {}, {}, {}, {}, {}, 0)",
        *(item.id, str(item.kind), item.workspace_id, _sealed(item), item.created_at, item.created_at),
    )


async def due(kind: Kind, now: int, limit: int) -> list[Item]:
    """The items that are to be handled now, the longest due first."""
    rows = await database.fetch(
        f"SELECT * FROM outbox WHERE kind = {{}} AND {_DUE} ORDER BY due_at, id LIMIT {{}}",
        *(str(kind), now, now + LONGEST_PAUSE, limit),
    )
    return [item for row in rows if (item := await _opened(row, now)) is not None]


async def is_any_due(kind: Kind, now: int) -> bool:
    rows = await database.fetch(
        f"SELECT 1 AS found FROM outbox WHERE kind = {{}} AND {_DUE} LIMIT 1",
        *(str(kind), now, now + LONGEST_PAUSE),
    )
    return bool(rows)


async def finish(item_id: str, now: int) -> bool:
    """Whether the item was still to be handled. Its content is erased."""
    rows = await database.fetch(
        "UPDATE outbox SET due_at = NULL, done_at = {}, content = {}, attempts = attempts + 1"
        " WHERE id = {} AND due_at IS NOT NULL RETURNING id",
        *(now, b"", item_id),
    )
    return bool(rows)


async def postpone(item_id: str, due_at: int) -> None:
    """After a failed attempt."""
    await database.fetch(
        "UPDATE outbox SET due_at = {}, attempts = attempts + 1 WHERE id = {} AND due_at IS NOT NULL", due_at, item_id
    )


async def count_waiting(*, before: int) -> dict[Kind, int]:
    """How many items of each kind wait since an instant or longer; kinds without any are left out."""
    rows = await database.fetch(
        "SELECT kind, count(*) AS n FROM outbox WHERE due_at IS NOT NULL AND created_at <= {} GROUP BY kind ORDER BY kind", before
    )
    return {Kind(row["kind"]): int(row["n"]) for row in rows}


async def purge(now: int) -> None:
    await database.fetch("DELETE FROM outbox WHERE due_at IS NULL AND (done_at <= {} OR done_at > {})", now - KEPT, now + KEPT)


def _context(item_id: str) -> str:
    return f"outbox {item_id}"


def _sealed(item: Item) -> bytes:
    return peppers.current().seal(json.dumps(item.content).encode(), _context(item.id))


async def _opened(row: dict[str, Any], now: int) -> Item | None:
    """None for a row that this process cannot open; it is put off, because another node may have its pepper."""
    try:
        content = json.loads(peppers.current().unseal(bytes(row["content"]), _context(row["id"])))
    except (PepperGone, ValueError):
        _log.error("the outbox's item %s cannot be opened", row["id"])
        async with database.transaction():
            await database.fetch("UPDATE outbox SET due_at = {} WHERE id = {}", now + UNREADABLE, row["id"])
        return None
    return Item(row["id"], Kind(row["kind"]), row["workspace"], row["created_at"], row["attempts"], content)
