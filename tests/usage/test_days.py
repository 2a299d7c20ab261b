"""Usage by days is the sum of usage by hours, whatever happens to the hours."""

from __future__ import annotations

import random

from app import database
from app.clock import DAY, HOUR

SUMS = "SELECT key, hour - hour % {} AS day, permission, outcome, SUM(requests) AS n FROM usage_hour GROUP BY 1, 2, 3, 4"
UPSERT = (
    "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, {}, {}, {})"
    " ON CONFLICT (key, hour, permission, outcome) DO UPDATE SET requests = usage_hour.requests + excluded.requests"
)


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
