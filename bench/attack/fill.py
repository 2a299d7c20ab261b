"""`python -m bench.attack.fill DAYS`: creates 500 keys with DAYS days of usage and 200 callers each, and a second, small workspace.

Prints the secrets of both as one JSON line. Writes the rows by SQL, because counting requests would take hours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from app import database, start
from app.access.actor import Actor, Scope
from app.clock import DAY
from app.gateway_tokens import service as gateway_tokens
from app.keys.service import Created
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.plans import service as plans
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.usage import use
from tests.support.users import make_owner

KEYS, CALLERS = 500, 200


async def _workspace(email: str, name: str, count: int) -> tuple[str, list[Created]]:
    """The management key's secret and the keys."""
    user, place = await make_owner(email, "Ann", name)
    await plans.change_plan(Actor.operator(), place.slug, "scale_enterprise")
    now = await database.now()
    owner = Actor.user(user.id, user.name, authenticated_at=now)
    _, program = await management_keys.create(owner, place.slug, ManagementKeyInput("CI", tuple(Scope), now + 30 * DAY))
    team = Team(place, owner, owner, owner)
    return program, [await make_key(team, f"Key {number}") for number in range(count)]


async def main(days: int) -> None:
    async with start.opened(Settings.load(os.environ), make=True):
        program, keys = await _workspace("ann@example.org", "Large", KEYS)
        other, _ = await _workspace("bob@example.org", "Small", 5)
        gateway = await gateway_tokens.create(Actor.operator(), "gateway")
        await use([made.key.id for made in keys], days=days, callers=CALLERS)
        print(json.dumps({"program": program, "other": other, "secret": keys[0].secret, "gateway": gateway.secret}))


asyncio.run(main(int(sys.argv[1])))
