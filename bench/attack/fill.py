"""`python -m bench.attack.fill DAYS`: 500 keys with so many days of usage and 200 callers each, and a small workspace beside them.

Prints the secrets of both as one JSON line. Rows are written by SQL, because counting them would take hours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from app import database, start
from app.access.actor import Actor, Scope
from app.clock import DAY
from app.gateways import service as gateways
from app.keys.service import Created
from app.management import service as management
from app.management.key import Asked
from app.plans import service as plans
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.people import make_owner
from tests.support.usage import use

KEYS, CALLERS = 500, 200


async def _workspace(email: str, name: str, count: int) -> tuple[str, list[Created]]:
    """The management key's secret and the keys."""
    user, place = await make_owner(email, "Ann", name)
    await plans.change_plan(Actor.operator(), place.slug, "scale_enterprise")
    now = await database.now()
    owner = Actor.user(user.id, user.name, authenticated_at=now)
    _, program = await management.create(owner, place.slug, Asked("CI", tuple(Scope), now + 30 * DAY))
    team = Team(place, owner, owner, owner)
    return program, [await make_key(team, f"Key {number}") for number in range(count)]


async def main(days: int) -> None:
    async with start.opened(Settings.load(os.environ), make=True):
        program, keys = await _workspace("ann@example.org", "Large", KEYS)
        other, _ = await _workspace("bob@example.org", "Small", 5)
        gateway = await gateways.create(Actor.operator(), "gateway")
        await use([made.key.id for made in keys], days=days, callers=CALLERS)
        print(json.dumps({"program": program, "other": other, "secret": keys[0].secret, "gateway": gateway.secret}))


asyncio.run(main(int(sys.argv[1])))
