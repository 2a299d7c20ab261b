"""Usage by days is the sum of usage by hours, after every change of the hours."""

from __future__ import annotations

import random

import pytest

from app import database
from app.clock import DAY, HOUR
from app.usage import store
from tests.conftest import KIND

SUMS = "SELECT key, hour - hour % {} AS day, permission, outcome, SUM(requests) AS n FROM usage_hour GROUP BY 1, 2, 3, 4"
UPSERT = (
    "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, {}, {}, {})"
    " ON CONFLICT (key, hour, permission, outcome) DO UPDATE SET requests = usage_hour.requests + excluded.requests"
)
# Changes made by this connection that it has not yet reported.
WRITTEN = "SELECT n_tup_ins AS new, n_tup_upd AS changed FROM pg_stat_xact_user_tables WHERE relname = 'usage_day'"


async def test_days_are_the_sum_of_their_hours_after_any_change(db: None) -> None:
    chance, start = random.Random(11), 20_000 * DAY
    for round_ in range(4):
        async with database.transaction():
            for _ in range(60):
                slot = (f"key_{chance.randrange(3)}", start + chance.randrange(72) * HOUR, chance.choice(("", "pdf.read")))
                await database.fetch(UPSERT, *slot, chance.choice(("VALID", "EXPIRED")), chance.randrange(1, 9))
            if round_ == 2:
                await database.fetch("DELETE FROM usage_hour WHERE key = 'key_1'")
            if round_ == 3:
                await database.fetch("UPDATE usage_hour SET requests = 1 WHERE key = 'key_2'")
        hours = {tuple(row.values()) for row in await database.fetch(SUMS, DAY)}
        days = {
            tuple(row.values()) for row in await database.fetch("SELECT key, day, permission, outcome, requests FROM usage_day")
        }
        assert {(*slot, int(n)) for *slot, n in hours} == {(*slot, int(n)) for *slot, n in days}
        assert hours
    async with database.transaction():
        await database.fetch("DELETE FROM usage_hour")
    assert await database.fetch("SELECT key FROM usage_day") == []


@pytest.mark.skipif(KIND != "postgres", reason="SQLite changes a day's counter in its place")
async def test_many_hours_together_update_their_days_once_and_later_ones_are_added(db: None) -> None:
    async with database.transaction():
        before = await database.fetch(WRITTEN)
        async with store.days_made_once():
            for hour in range(48):
                await database.fetch(UPSERT, "key_1", 20_000 * DAY + hour * HOUR, "", "VALID", 1)
        after = await database.fetch(WRITTEN)
    assert (after[0]["new"] - before[0]["new"], after[0]["changed"] - before[0]["changed"]) == (2, 0)
    async with database.transaction():
        await database.fetch(UPSERT, "key_1", 20_000 * DAY, "", "VALID", 1)
    days = await database.fetch("SELECT day - {} AS day, requests FROM usage_day ORDER BY 1", 20_000 * DAY)
    assert days == [{"day": 0, "requests": 25}, {"day": DAY, "requests": 24}]
