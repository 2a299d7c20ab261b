"""Counting attempts: a clock that was ahead and came back locks nobody out, and old rows are deleted."""

from __future__ import annotations

import pytest

from app import database
from app.clock import DAY, MINUTE, SECOND, YEAR
from app.errors import TooManyAttempts
from app.throttling import service as throttling
from app.throttling import store

NOW = 1_800_000_000 * SECOND


async def fill_and_overflow() -> None:
    """Ten attempts are counted, the next one is refused."""
    buckets = throttling.confirmation_buckets("usr_x")
    for _ in range(10):
        await throttling.take(buckets)
    with pytest.raises(TooManyAttempts):
        await throttling.take(buckets)


async def test_a_window_that_was_filled_while_the_clock_was_ahead_refuses_nobody_now(db: None) -> None:
    database.freeze(NOW + YEAR)
    await fill_and_overflow()
    database.freeze(NOW)
    await fill_and_overflow()


async def test_rows_written_while_the_clock_was_ahead_are_deleted_and_no_others(db: None) -> None:
    database.freeze(NOW + YEAR)
    await throttling.take(throttling.confirmation_buckets("usr_ahead"))
    database.freeze(NOW)
    await throttling.take(throttling.confirmation_buckets("usr_now"))
    await throttling.purge_expired()
    assert [row["bucket"] for row in await database.fetch("SELECT bucket FROM throttle")] == ["confirm usr_now"]
    assert await store.is_known_network("nobody", 0, NOW) is False


async def test_a_known_network_is_forgotten_after_ninety_days(db: None) -> None:
    buckets = throttling.sign_in_buckets("ann@example.org", "192.0.2.5", known=False)
    database.freeze(NOW)
    await throttling.take(buckets)
    async with database.transaction():
        await throttling.record_success(buckets, "ann@example.org", "192.0.2.5", NOW)
    assert await throttling.is_known_network("ann@example.org", "192.0.2.5")
    assert not await throttling.is_known_network("ann@example.org", "192.0.2.6")
    assert not await throttling.is_known_network("bob@example.org", "192.0.2.5")
    database.freeze(NOW + 90 * DAY - MINUTE)
    assert await throttling.is_known_network("ann@example.org", "192.0.2.5")
    database.freeze(NOW + 90 * DAY)
    assert not await throttling.is_known_network("ann@example.org", "192.0.2.5")
