"""Uses dated while the clock was a year ahead are moved back to now, and verification keeps answering."""

from __future__ import annotations

from app import database
from app.clock import MINUTE, SECOND, YEAR
from app.usage import caller_service
from tests.conftest import Team, make_key
from tests.verification.conftest import Service, counters, last_used

NOW = 1_800_000_000 * SECOND


async def uses() -> list[tuple[int, int, int]]:
    rows = await database.fetch("SELECT first_seen_at, last_seen_at, requests FROM caller")
    return [(row["first_seen_at"], row["last_seen_at"], row["requests"]) for row in rows]


async def test_a_clock_that_is_ahead_changes_no_verdict_and_leaves_no_use_in_the_future(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    expiring = await make_key(team, "Short", expires_at=NOW + YEAR // 2)
    for instant, code in ((NOW, "VALID"), (NOW + YEAR, "EXPIRED"), (NOW, "VALID")):
        database.freeze(instant)
        assert await service.code(made.secret, ip="203.0.113.9") == "VALID"
        assert await service.code(expiring.secret, ip="203.0.113.9") == code
    assert sum((await counters()).values()) == 6
    assert (await last_used(made.key.id))[0] == NOW + YEAR

    database.freeze(NOW + 2 * MINUTE)
    await caller_service.bring_back()
    assert (await last_used(made.key.id))[0] == NOW + 2 * MINUTE
    assert sorted(await uses()) == [(NOW, NOW, 2), (NOW, NOW + 2 * MINUTE, 3)]

    database.freeze(NOW + 3 * MINUTE)
    assert await service.code(made.secret, ip="203.0.113.9") == "VALID"
    await caller_service.bring_back()
    assert (await last_used(made.key.id))[0] == NOW + 3 * MINUTE
