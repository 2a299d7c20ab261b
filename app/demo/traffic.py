"""Sixty days of requests, hour by hour: working days, nights, weekends, a slow growth, and some that fail.

Every hour of a key is drawn from a seed of its own, so that the same hour is the same in every run, whenever it is made up.
"""

from __future__ import annotations

import math
import random
import zoneinfo
from collections.abc import Iterator
from typing import Final

from app import catalogue, clock
from app.clock import DAY, HOUR, MINUTE
from app.demo.cast import TIMEZONE, Traffic
from app.keys.key import ApiKey
from app.usage.caller import family_of, network_of
from app.usage.counting import Tally
from app.usage.usage import FAILED, SUCCEEDED
from app.verification.verify import Code

DAYS: Final = 60
# Rows that one transaction writes: few enough to keep the write lock for less than 50 ms.
_ROWS: Final = 100
# Of the failures, those for want of a permission.
_DENIED: Final = 0.3
_SATURDAY: Final = 5
_ZONE: Final = zoneinfo.ZoneInfo(TIMEZONE)


def tallies(traffic: Traffic, key: ApiKey, since: int, now: int) -> Iterator[Tally]:
    """What the key's requests add from the hour of `since` up to `now`, oldest first, in pieces small enough to write at once."""
    tally, last = Tally(), None
    for hour in range(max(clock.hour_of(since), clock.hour_of(now) - DAYS * DAY), now, HOUR):
        chance = random.Random(f"{key.name} {hour}")  # noqa: S311 - nothing here is a secret
        requests = _requests(traffic, hour, now, chance)
        if refusal := _refusal(key, hour):
            _add(tally, key, hour, (key.permissions[0], refusal), requests // 20)
        elif requests:
            _add_all(tally, key, hour, traffic, requests, chance)
            last = min(hour + HOUR - MINUTE, now - chance.randint(1, 6) * MINUTE)
        if len(tally.hours) >= _ROWS:
            yield tally
            tally = Tally()
    if last is not None:
        tally.use(key.id, last, traffic.callers[0][0])
        _meet(tally, key, traffic, since, last)
    yield tally


def _meet(tally: Tally, key: ApiKey, traffic: Traffic, since: int, last: int) -> None:
    """The key's callers, the first the busiest, each with the permissions that it asks for."""
    for rank, (address, program) in enumerate(traffic.callers):
        who = (network_of(address), family_of(program))
        for name, weight in traffic.asks:
            if name in key.permissions:
                seen = last - rank * 7 * MINUTE
                tally.meet(key.id, who, name, since, seen, weight * (seen - since) // HOUR // (rank + 1))


def _requests(traffic: Traffic, hour: int, now: int, chance: random.Random) -> int:
    """How many there were in an hour; in the running one only up to now."""
    local = clock.to_datetime(hour).astimezone(_ZONE)
    at_work = math.exp(-(((local.hour - 13.5) / 4.2) ** 2))
    weekend = traffic.weekends if local.weekday() >= _SATURDAY else 1.0
    grown = 1.0 - 0.35 * (now - hour) / (DAYS * DAY)
    expected = traffic.peak * weekend * grown * (traffic.nights + (1 - traffic.nights) * at_work)
    return round(expected * chance.uniform(0.75, 1.25) * min(1.0, (now - hour) / HOUR))


def _refusal(key: ApiKey, hour: int) -> Code | None:
    """Why everything of this hour was refused, if it was; the hour in which a key ends counts as after it."""
    if key.revocation is not None and hour + HOUR > key.revocation.at:
        return Code.REVOKED
    if key.expires_at is not None and hour + HOUR > key.expires_at:
        return Code.EXPIRED
    return Code.SUSPENDED if key.suspended_at is not None and hour + HOUR > key.suspended_at else None


def _add_all(tally: Tally, key: ApiKey, hour: int, traffic: Traffic, requests: int, chance: random.Random) -> None:
    asked = [(name, weight) for name, weight in traffic.asks if name in key.permissions] or [(key.permissions[0], 1)]
    lacking = [name for name in catalogue.current().permissions if name not in key.permissions]
    names, weights = zip(*asked, strict=True)
    for name in chance.choices(names, weights, k=requests):
        failed = chance.random() < traffic.failing
        denied = failed and bool(lacking) and chance.random() < _DENIED
        _add(tally, key, hour, (lacking[0], Code.PERMISSION_DENIED) if denied else (name, FAILED if failed else SUCCEEDED), 1)


def _add(tally: Tally, key: ApiKey, hour: int, how: tuple[str, str], requests: int) -> None:
    if requests:
        slot = (key.id, hour, how[0], str(how[1]))
        tally.hours[slot] = tally.hours.get(slot, 0) + requests
