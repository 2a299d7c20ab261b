"""Generates sixty days of requests by the hour: working days, nights, weekends, slow growth, and some failures.

Each hour of a key has its own random seed, so that every run generates the same requests for it.
"""

from __future__ import annotations

import math
import random
import zoneinfo
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from app import clock, ids
from app.clock import DAY, HOUR, MINUTE
from app.demo.scenario import TIMEZONE, Traffic
from app.keys.key import ApiKey
from app.request_log.request import REQUEST_ID, Rule, encoded
from app.usage.caller import family_of, network_of
from app.usage.counters import CounterBatch
from app.usage.usage import FAILED, SUCCEEDED
from app.verification.verdict import Code

DAYS: Final = 60
# Rows per transaction: few enough to hold the write lock for less than 50 ms.
_ROWS: Final = 100
# The fraction of failures that are due to a missing permission.
_DENIED: Final = 0.3
_SATURDAY: Final = 5
# So many requests are logged one by one, and of these one in so many was refused.
_LOGGED: Final = 40
_LOGGED_EVERY: Final = 2 * MINUTE
_DENIED_EVERY: Final = 9
_ZONE: Final = zoneinfo.ZoneInfo(TIMEZONE)


def tallies(traffic: Traffic, key: ApiKey, offered: Collection[str], since: int, now: int) -> Iterator[CounterBatch]:
    """Counts of the key's requests from the hour of `since` up to `now`, oldest first, each small enough for one transaction.

    `offered`: the permissions of the catalogue.
    """
    tally, last, refused = CounterBatch(), None, None
    lacking = [name for name in offered if name not in key.permissions]
    for hour in range(max(clock.hour_of(since), clock.hour_of(now) - DAYS * DAY), now, HOUR):
        chance = random.Random(f"{key.name} {hour}")  # noqa: S311 - nothing here is a secret
        requests = _requests(traffic, hour, now, chance)
        if refusal := _refusal(key, hour):
            _add(tally, key, hour, (key.permissions[0], refusal), requests // 20)
            refused = (min(hour + HOUR, now) - MINUTE, refusal) if requests // 20 else refused
        elif requests:
            last = min(hour + HOUR - MINUTE, now - chance.randint(1, 6) * MINUTE)
            _add_all(tally, key, (max(hour, since), last), traffic, lacking, requests, chance)
        if len(tally.hours) >= _ROWS:
            yield tally
            tally = CounterBatch()
    if last is not None:
        tally.touch(key.id, last, traffic.callers[0][0])
        _log(tally, key, traffic, last, lacking=lacking)
    if refused is not None:
        _log(tally, key, traffic, *refused)
    yield tally


def _log(
    tally: CounterBatch, key: ApiKey, traffic: Traffic, last: int, ended: Code | None = None, *, lacking: Sequence[str] = ()
) -> None:
    """Logs the latest requests one by one: refused ones of a key that has ended, else accepted ones, and now and then one for a
    permission that the key does not have."""
    chance = random.Random(f"{key.name} {last}")  # noqa: S311 - nothing here is a secret
    asked = [name for name, _ in traffic.asks if name in key.permissions] or list(key.permissions)
    revoked_at = key.revocation.at if key.revocation else None
    since = {Code.EXPIRED: key.expires_at, Code.SUSPENDED: key.suspended_at, Code.REVOKED: revoked_at}
    for number in range(_LOGGED):
        is_denied = bool(lacking) and traffic.failing > 0 and number % _DENIED_EVERY == 2
        outcome = ended or (Code.PERMISSION_DENIED if is_denied else Code.VALID)
        rule = Rule(since=since[ended]) if ended else Rule.that_allowed(key.permissions) if is_denied else None
        permission = lacking[0] if is_denied else chance.choice(asked)
        address, program = traffic.callers[number % len(traffic.callers)]
        at = last - number * _LOGGED_EVERY - chance.randrange(MINUTE)
        if at < key.created_at or (ended and at <= (since[ended] or 0)):
            break
        request_id = f"{REQUEST_ID}_{''.join(chance.choices(ids.ALPHABET, k=20))}"
        who = (network_of(address), family_of(program))
        tally.logged.append((request_id, key.id, at, str(outcome), permission, *who, encoded(rule) if rule else None))


def _requests(traffic: Traffic, hour: int, now: int, chance: random.Random) -> int:
    """The number of requests in an hour; in the current hour only up to now."""
    local = clock.to_datetime(hour).astimezone(_ZONE)
    at_work = math.exp(-(((local.hour - 13.5) / 4.2) ** 2))
    weekend = traffic.weekends if local.weekday() >= _SATURDAY else 1.0
    grown = 1.0 - 0.35 * (now - hour) / (DAYS * DAY)
    expected = traffic.peak * weekend * grown * (traffic.nights + (1 - traffic.nights) * at_work)
    return round(expected * chance.uniform(0.75, 1.25) * min(1.0, (now - hour) / HOUR))


def _refusal(key: ApiKey, hour: int) -> Code | None:
    """The outcome if all requests of this hour were refused; the hour in which a key ends counts as after the end."""
    if key.revocation is not None and hour + HOUR > key.revocation.at:
        return Code.REVOKED
    if key.expires_at is not None and hour + HOUR > key.expires_at:
        return Code.EXPIRED
    return Code.SUSPENDED if key.suspended_at is not None and hour + HOUR > key.suspended_at else None


def _add_all(
    tally: CounterBatch,
    key: ApiKey,
    span: tuple[int, int],
    traffic: Traffic,
    lacking: list[str],
    requests: int,
    chance: random.Random,
) -> None:
    """Counts the requests of an hour, or of the part of it between two instants, each also for one of the key's callers."""
    hour = clock.hour_of(span[0])
    weighted = [(name, weight) for name, weight in traffic.asks if name in key.permissions] or [(key.permissions[0], 1)]
    names, weights = zip(*weighted, strict=True)
    # The first caller is the busiest, and the last one seen.
    shares = [1 / (rank + 1) for rank in range(len(traffic.callers))]
    ranks = chance.choices(range(len(traffic.callers)), shares, k=requests)
    for name, rank in zip(chance.choices(names, weights, k=requests), ranks, strict=True):
        failed = chance.random() < traffic.failing
        denied = failed and bool(lacking) and chance.random() < _DENIED
        how = (lacking[0], Code.PERMISSION_DENIED) if denied else (name, FAILED if failed else SUCCEEDED)
        _add(tally, key, hour, how, 1)
        address, program = traffic.callers[rank]
        seen = (span[0], max(span[0], span[1] - rank * 7 * MINUTE))
        tally.add_caller(key.id, (network_of(address), family_of(program)), how[0], *seen, 1)


def _add(tally: CounterBatch, key: ApiKey, hour: int, how: tuple[str, str], requests: int) -> None:
    if requests:
        slot = (key.id, hour, how[0], str(how[1]))
        tally.hours[slot] = tally.hours.get(slot, 0) + requests
