"""Rows of deliveries."""

from __future__ import annotations

from typing import Any, Final

from app import database, ids
from app.clock import DAY
from app.database.sql import newest_first
from app.outbox.item import LONGEST_PAUSE
from app.paging import Page, Window
from app.webhooks.webhook import DELIVERY_ID, Attempt, Delivery, State

# The log of a webhook: what is finished, for so long, and so many of the newest.
KEPT: Final = 30 * DAY
MOST_KEPT: Final = 1_000
MOST_PENDING: Final = 10_000
_AFTER_THE_NEWEST: Final = (
    "SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY webhook ORDER BY created_at DESC, id DESC) AS place"
    " FROM webhook_delivery WHERE {}) ranked WHERE place > {{}}"
)
_DUE: Final = "due_at IS NOT NULL AND (due_at <= {} OR due_at > {})"


async def add(webhook_id: str, message_id: str, kind: str, body: str, now: int, *, created_at: int) -> None:
    """A message that the webhook has already is not added again."""
    await database.fetch(
        "INSERT INTO webhook_delivery (id, webhook, message, type, body, created_at, due_at, state, attempts, retry)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}, {}, 0, 0) ON CONFLICT (webhook, message) DO NOTHING",
        *(ids.new(DELIVERY_ID), webhook_id, message_id, kind, body, created_at, now, str(State.PENDING)),
    )


async def find(delivery_id: str) -> Delivery | None:
    """Of any workspace. The caller of this function checks access to its webhook."""
    rows = await database.fetch("SELECT * FROM webhook_delivery WHERE id = {}", delivery_id)
    return _delivery(rows[0]) if rows else None


async def due(now: int, per_webhook: int, limit: int) -> list[Delivery]:
    """What is to be sent now: of each webhook only some, so that a slow one with many does not keep others from theirs."""
    rows = await database.fetch(
        "SELECT * FROM (SELECT d.*, ROW_NUMBER() OVER (PARTITION BY d.webhook ORDER BY d.due_at, d.id) AS place"
        f" FROM webhook_delivery d WHERE {_DUE}) ranked WHERE place <= {{}} ORDER BY place, due_at, id LIMIT {{}}",
        *(now, now + LONGEST_PAUSE, per_webhook, limit),
    )
    return [_delivery(row) for row in rows]


async def is_any_due(now: int) -> bool:
    return bool(await database.fetch(f"SELECT 1 AS found FROM webhook_delivery WHERE {_DUE} LIMIT 1", now, now + LONGEST_PAUSE))


async def is_any() -> bool:
    """Whether anything was ever sent."""
    return bool(await database.fetch("SELECT 1 AS found FROM webhook_delivery LIMIT 1"))


async def save_attempt(before: Delivery, attempt: Attempt, at: int, due_at: int | None) -> bool:
    """Stores the outcome; False if an owner sent it again, or deleted it, meanwhile. `due_at`: the next attempt, None if there is
    none any more."""
    state = State.DELIVERED if attempt.is_success else State.FAILED if due_at is None else State.PENDING
    rows = await database.fetch(
        "UPDATE webhook_delivery SET state = {}, attempts = attempts + 1, retry = retry + 1, due_at = {}, attempted_at = {},"
        " status_code = {}, duration_ms = {}, response = {}, failure = {}, finished_at = {}"
        " WHERE id = {} AND attempts = {} AND retry = {} AND due_at IS NOT NULL RETURNING id",
        *(str(state), due_at, at, attempt.status_code, attempt.duration_ms, attempt.response, attempt.failure),
        *(at if due_at is None else None, before.id, before.attempts, before.retry),
    )
    return bool(rows)


async def send_again(delivery_id: str, now: int) -> None:
    """From the beginning of the schedule."""
    await database.fetch(
        "UPDATE webhook_delivery SET state = {}, due_at = {}, retry = 0, finished_at = NULL WHERE id = {}",
        *(str(State.PENDING), now, delivery_id),
    )


async def give_up_all(webhook_id: str, now: int) -> None:
    """What is pending for a webhook that was disabled."""
    await database.fetch(
        "UPDATE webhook_delivery SET state = {}, due_at = NULL, finished_at = {}, failure = {}"
        " WHERE webhook = {} AND due_at IS NOT NULL",
        *(str(State.FAILED), now, "The webhook was disabled.", webhook_id),
    )


async def page(webhook_id: str, window: Window) -> Page[Delivery]:
    """Newest first; a position is `created_at` and the id."""
    bounds, order, arguments = newest_first(window, "created_at", "id")
    rows = await database.fetch(f"SELECT * FROM webhook_delivery WHERE webhook = {{}}{bounds} {order}", webhook_id, *arguments)
    return window.page([_delivery(row) for row in rows])


async def count(webhook_id: str) -> int:
    return int((await database.fetch("SELECT count(*) AS n FROM webhook_delivery WHERE webhook = {}", webhook_id))[0]["n"])


async def purge(now: int) -> None:
    """Deletes what was finished long ago, and of each webhook all but the newest. Gives up what too many others wait before."""
    await database.fetch("DELETE FROM webhook_delivery WHERE due_at IS NULL AND finished_at <= {}", now - KEPT)
    await database.fetch(
        f"DELETE FROM webhook_delivery WHERE id IN ({_AFTER_THE_NEWEST.format('due_at IS NULL')})",
        MOST_KEPT,
    )
    await database.fetch(
        "UPDATE webhook_delivery SET state = {}, due_at = NULL, finished_at = {}, failure = {}"
        f" WHERE id IN ({_AFTER_THE_NEWEST.format('due_at IS NOT NULL')})",
        *(str(State.FAILED), now, "Too many newer messages are waiting.", MOST_PENDING),
    )


def _delivery(row: dict[str, Any]) -> Delivery:
    return Delivery(
        id=row["id"],
        webhook_id=row["webhook"],
        message_id=row["message"],
        type=row["type"],
        body=row["body"],
        created_at=row["created_at"],
        state=State(row["state"]),
        attempts=row["attempts"],
        retry=row["retry"],
        due_at=row["due_at"],
        attempted_at=row["attempted_at"],
        status_code=row["status_code"],
        duration_ms=row["duration_ms"],
        response=row["response"],
        failure=row["failure"],
    )
