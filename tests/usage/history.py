"""Use of 150 days, and everything that is read of it."""

from __future__ import annotations

import random
from typing import Any

from app import clock, database
from app.clock import DAY, HOUR
from app.usage import service, store
from app.usage.counters import CounterBatch
from app.usage.ranges import first_hour_kept
from app.usage.usage import Granularity
from tests.conftest import Team, make_key, make_team
from tests.support.access import at

NOW = clock.parse_rfc3339("2026-11-29T12:30:00Z")
TODAY = NOW - NOW % DAY


async def use_of_150_days() -> tuple[Team, list[str]]:
    """Three keys with requests in random hours of 150 days, several of them beside midnight."""
    database.freeze(NOW)
    team, chance = await make_team(), random.Random(7)
    keys = [(await make_key(team)).key.id for _ in range(3)]
    tally = CounterBatch()
    for _ in range(600):
        key_id, hour = chance.choice(keys), chance.choice([0, 1, 23, chance.randrange(24)])
        slot = (key_id, TODAY - chance.randrange(150) * DAY + hour * HOUR, chance.choice(("", "pdf.read")))
        tally.hours[(*slot, chance.choice(("VALID", "EXPIRED", "SUCCEEDED")))] = chance.randrange(1, 9)
    async with database.transaction():
        await store.add(tally)
    return team, keys


async def reads(team: Team, keys: list[str]) -> list[Any]:
    """What everyone reads: of a key, of all together, of all time, for ranges old and new, and the hours that are kept."""
    access, _ = await at(team.viewer, keys[0])
    own = [(await at(team.viewer, key_id))[1] for key_id in keys]
    found: list[Any] = [await service.all_time(access, own), await service.by_day(access, own, 366)]
    for first, last in ((160, 0), (160, 120), (120, 60), (37, 33), (91, 89), (30, 0)):
        span = (TODAY - first * DAY, TODAY - last * DAY)
        found.append(await service.of_workspace(access, *span))
        found += (await service.of_keys(access, own, *span, Granularity.DAY)).values()
    hours = (first_hour_kept(NOW), first_hour_kept(NOW) + 20 * DAY, Granularity.HOUR)
    return [*found, await service.of_workspace(access, *hours), await service.of_key(access, own[0], *hours)]


async def oldest_hours() -> list[int]:
    rows = await database.fetch("SELECT DISTINCT hour FROM usage_hour WHERE hour < {}", first_hour_kept(NOW) - DAY)
    return [row["hour"] for row in rows]


async def closed() -> dict[str, int]:
    return {row["what"]: int(row["before"]) for row in await database.fetch("SELECT what, before FROM usage_closed")}
