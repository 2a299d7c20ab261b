"""The batches of usage reports that were taken, each once, with its response."""

from __future__ import annotations

from app import database


async def claim_batch(gateway: str, batch: str, answer: str, now: int) -> bool:
    """Stores the batch id; returns whether it is new. Waits for a transaction that is storing the same one."""
    rows = await database.fetch(
        "INSERT INTO usage_batch (gateway, batch, answer, received_at) VALUES ({}, {}, {}, {})"
        " ON CONFLICT (gateway, batch) DO NOTHING RETURNING batch",
        gateway,
        batch,
        answer,
        now,
    )
    return bool(rows)


async def answer_of(gateway: str, batch: str) -> str:
    """The response to a known batch."""
    rows = await database.fetch("SELECT answer FROM usage_batch WHERE gateway = {} AND batch = {}", gateway, batch)
    return str(rows[0]["answer"])


async def last_batch(gateway: str) -> tuple[str, str] | None:
    """The highest batch id of a gateway, and its response."""
    rows = await database.fetch("SELECT batch, answer FROM usage_batch WHERE gateway = {} ORDER BY batch DESC LIMIT 1", gateway)
    return (rows[0]["batch"], rows[0]["answer"]) if rows else None


async def forget_batches_before(instant: int) -> None:
    await database.fetch("DELETE FROM usage_batch WHERE received_at < {}", instant)
