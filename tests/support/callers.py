"""Uses of a key, as verification counts them."""

from __future__ import annotations

from app import database
from app.usage import store
from app.usage.counting import Door, Tally


async def use(
    key_id: str,
    address: str | None = "203.0.113.9",
    user_agent: str | None = "curl/8.4",
    *,
    at: int | None = None,
    permission: str | None = None,
) -> None:
    """One good request with a key."""
    now = await database.now() if at is None else at
    tally = Tally()
    tally.count(key_id, now, permission, "VALID")
    tally.use(key_id, now, address)
    tally.meet(key_id, Door().admit(key_id, now, address, user_agent), permission, now, now, 1)
    async with database.transaction():
        await store.add(tally)
