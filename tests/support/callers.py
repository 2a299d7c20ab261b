"""Records uses of a key, as verification counts them."""

from __future__ import annotations

from app import database
from app.usage import store
from app.usage.counters import CallerLimiter, CounterBatch


async def use(
    key_id: str,
    address: str | None = "203.0.113.9",
    user_agent: str | None = "curl/8.4",
    *,
    at: int | None = None,
    permission: str | None = None,
) -> None:
    """Records one valid request with a key."""
    now = await database.now() if at is None else at
    tally = CounterBatch()
    tally.count(key_id, now, permission, "VALID")
    tally.touch(key_id, now, address)
    tally.add_caller(key_id, CallerLimiter().bucket(key_id, now, address, user_agent), permission, now, now, 1)
    async with database.transaction():
        await store.add(tally)
