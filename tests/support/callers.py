"""Uses of a key, as verification counts them."""

from __future__ import annotations

from app import database
from app.usage.caller import caller_id, family_of, network_of


async def use(
    key_id: str, address: str | None = "203.0.113.9", user_agent: str | None = "curl/8.4", *, at: int | None = None
) -> None:
    """One request with a good key."""
    now = await database.now() if at is None else at
    network, family = network_of(address), family_of(user_agent)
    async with database.transaction():
        await database.fetch(
            "UPDATE key_last_used SET last_used_at = {}, last_used_ip = {} WHERE key = {}"
            " AND (last_used_at IS NULL OR last_used_at < {})",
            *(now, address, key_id, now),
        )
        await database.fetch(
            "INSERT INTO caller (key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests)"
            " VALUES ({}, {}, {}, '', {}, {}, {}, 1) ON CONFLICT (key, network, user_agent, permission)"
            " DO UPDATE SET last_seen_at = excluded.last_seen_at, requests = caller.requests + 1",
            *(key_id, network, family, caller_id(key_id, network, family), now, now),
        )
