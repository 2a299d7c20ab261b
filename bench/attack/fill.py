"""`python -m bench.attack.fill DAYS`: 500 keys with so many days of usage and 200 callers each, and a small workspace beside them.

Prints the secrets of both as one JSON line. Rows are written by SQL, because counting them would take hours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from app import database, ids, start
from app.access.actor import Actor, Scope
from app.clock import DAY, HOUR
from app.gateways import service as gateways
from app.keys.service import Created
from app.management import service as management
from app.management.key import Asked
from app.plans import service as plans
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.people import make_owner

KEYS, CALLERS = 500, 200
_HOURS = (
    "WITH RECURSIVE h(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM h WHERE n < {})"
    " INSERT INTO usage_hour (key, hour, permission, outcome, requests)"
    f" SELECT {{}}, {{}} - n * {HOUR}, 'pdf.read', {{}}, 1 + n % 90 FROM h WHERE n % {{}} = 0"
)
_CALLER = (
    "INSERT INTO caller (key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests)"
    " VALUES ({}, {}, 'curl', 'pdf.read', {}, {}, {}, 5)"
)


async def _workspace(email: str, name: str, count: int) -> tuple[str, list[Created]]:
    """The management key's secret and the keys."""
    user, place = await make_owner(email, "Ann", name)
    await plans.change_plan(Actor.operator(), place.slug, "scale_enterprise")
    now = await database.now()
    owner = Actor.user(user.id, user.name, authenticated_at=now)
    _, program = await management.create(owner, place.slug, Asked("CI", tuple(Scope), now + 30 * DAY))
    team = Team(place, owner, owner, owner)
    return program, [await make_key(team, f"Key {number}") for number in range(count)]


async def _used(key_id: str, now: int, days: int) -> None:
    async with database.transaction():
        for outcome, every in (("VALID", 1), ("EXPIRED", 3)):
            await database.fetch(_HOURS, days * 24, key_id, now - now % HOUR, outcome, every)
        for number in range(CALLERS):
            seen = (now - 20 * DAY, now - number * HOUR)
            await database.fetch(_CALLER, key_id, f"203.0.{number}.0/24", ids.new("cal"), *seen)


async def main(days: int) -> None:
    async with start.opened(Settings.load(os.environ), make=True):
        program, keys = await _workspace("ann@example.org", "Large", KEYS)
        other, _ = await _workspace("bob@example.org", "Small", 5)
        gateway = await gateways.create(Actor.operator(), "gateway")
        now = await database.now()
        for made in keys:
            await _used(made.key.id, now, days)
        print(json.dumps({"program": program, "other": other, "secret": keys[0].secret, "gateway": gateway.secret}))


asyncio.run(main(int(sys.argv[1])))
