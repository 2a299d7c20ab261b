"""A hundred thousand answered requests of other keys in the same minute hide no unusual use."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from app import database
from app.alerts.alert import Kind
from app.clock import DAY, MINUTE, parse_rfc3339
from app.keys.key import ApiKey
from app.usage import log
from app.usage.counters import Use
from app.usage.service import all_time
from tests.alerts.history import STRANGE, evaluated, open_of, use, used, worked
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen

pytestmark = pytest.mark.slow
# A Wednesday.
NOW = parse_rfc3339("2026-10-28T10:30:00Z")
MOMENT = NOW + MINUTE
FLOOD, OTHERS = 100_000, 300
PERMISSIONS = ("pdf.read", "pdf.delete")


async def keys_at_work(team: Team) -> dict[Kind, ApiKey]:
    """A key for each of the four anomalies, after four weeks of its usual use."""
    found = {}
    for kind in (Kind.UNEXPECTED_NETWORK, Kind.FAILURE_SPIKE, Kind.OUTSIDE_BUSINESS_HOURS, Kind.UNUSED_PERMISSION):
        database.freeze(NOW - 30 * DAY)
        found[kind] = (await make_key(team, kind, permissions=PERMISSIONS)).key
        database.freeze(NOW)
        await worked(found[kind].id, NOW, hours=range(13, 20) if kind is Kind.OUTSIDE_BUSINESS_HOURS else range(8, 18))
    return found


def unusual(keys: dict[Kind, ApiKey]) -> list[Use]:
    return [
        use(keys[Kind.UNEXPECTED_NETWORK].id, MOMENT, network=STRANGE, user_agent="curl"),
        use(keys[Kind.FAILURE_SPIKE].id, MOMENT, outcome="IP_NOT_ALLOWED", requests=40),
        use(keys[Kind.OUTSIDE_BUSINESS_HOURS].id, MOMENT, requests=5),
        use(keys[Kind.UNUSED_PERMISSION].id, MOMENT, permission="pdf.delete"),
    ]


def flood(keys: list[ApiKey]) -> Iterator[Use]:
    """Answered requests, one by one, from two hundred networks: accepted ones with every other key, refused ones with the rest."""
    chance = random.Random(14)
    for number in range(FLOOD):
        outcome = chance.choice(("IP_NOT_ALLOWED", "PERMISSION_DENIED")) if number % 2 else "VALID"
        network = f"{chance.randrange(20, 220)}.9.9.0/24"
        yield use(keys[number % OTHERS].id, MOMENT, network=network, outcome=outcome, permission=chance.choice(PERMISSIONS))


async def test_a_flood_of_requests_on_other_keys_hides_none_of_the_four_anomalies(db: None) -> None:
    """Each is an alert of the next evaluation, which is one of 304 keys, and so is the attack on half of the others."""
    team = await make_team(plan="scale_enterprise")
    keys = await keys_at_work(team)
    assert await evaluated() == 0
    database.freeze(MOMENT)
    others = [(await make_key(team, f"Other {number}")).key for number in range(OTHERS)]
    each = [*flood(others)]
    await used(each[: FLOOD // 2])
    await used(unusual(keys))
    await used(each[FLOOD // 2 :])
    await log.current().settle()
    await evaluated()
    totals = await all_time(await seen(team.viewer, team.slug), others)
    assert sum(each.counts.total for each in totals.values()) == FLOOD
    # Refused requests from many networks with a key that was just made are an alert of that key as well.
    attacked = {(key.id, Kind.FAILURE_SPIKE) for key in others[1::2]}
    assert {(alert.key.id, alert.kind) for alert in await open_of(team)} == attacked | {(keys[kind].id, kind) for kind in keys}
