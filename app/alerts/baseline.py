"""What is usual for a key: learned from its hours and callers, by the same function for the server and for the benchmark."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from app.clock import DAY, HOUR
from app.usage.caller import FOLDED
from app.usage.usage import SUCCESSES

# How far back rules look.
SPAN: Final = 28 * DAY
# The last hour is judged before it is learned from.
UNLEARNED: Final = HOUR
# A key is learning for so long after its first request: its programs and networks are still being set up.
LEARNING: Final = 3 * DAY
# Networks of the first day are those that it was made for; later ones are arrivals.
SETTLED: Final = DAY
HOURS_OF_WEEK: Final = 168
MOST_NETWORKS: Final = 400
_NEIGHBORHOOD_BITS: Final = {4: 16, 6: 32}
# 1 January 1970 was a Thursday; weeks begin on Monday.
_FIRST_HOUR: Final = 72
# Failures that say something about use; a revoked, expired or suspended key is refused by a decision.
FAILURES: Final = frozenset({"PERMISSION_DENIED", "IP_NOT_ALLOWED", "ENVIRONMENT_NOT_ALLOWED", "FAILED"})
DENIED: Final = "PERMISSION_DENIED"


class Hour(NamedTuple):
    """Requests of a key in one hour (UTC) with one permission and outcome."""

    at: int
    permission: str
    outcome: str
    requests: int


class Visit(NamedTuple):
    """A network that used a key. `requests` counts all since the first."""

    network: str
    user_agent: str
    permission: str
    first_at: int
    last_at: int
    requests: int


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """What was usual up to `until`. `first_at`: the first request ever, None before any.

    `days_at`: for each hour of the week in UTC, from Monday, on how many days the key was used in it. `arrivals`: how many
    neighborhoods of networks were first seen in the span, not counting the first day.
    `failure_squares`: the sum of the squares of the failures of each active hour.
    """

    until: int
    first_at: int | None = None
    last_at: int | None = None
    requests: int = 0
    failures: int = 0
    failure_squares: int = 0
    worst_hour: int = 0
    active_hours: int = 0
    active_days: int = 0
    days_at: tuple[int, ...] = ()
    permissions: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    networks: frozenset[str] = frozenset()
    arrivals: int = 0
    longest_gap_days: int = 0

    def age(self, now: int) -> int:
        """For how long the key had been used."""
        return 0 if self.first_at is None else max(0, now - self.first_at)

    def is_learning(self, now: int) -> bool:
        return self.age(now) < LEARNING


@dataclass(frozen=True, slots=True)
class History:
    """What a baseline is learned from. `hours`: of the last SPAN; `days`: all days of use, oldest first; `permissions` and
    `denied`: all that were ever used or refused."""

    first_at: int | None
    hours: Iterable[Hour]
    days: Sequence[int]
    visits: Iterable[Visit]
    permissions: Iterable[str]
    denied: Iterable[str]


@dataclass(frozen=True, slots=True)
class Unlearned:
    """What belongs to an alert that nobody has called expected: it must not become usual."""

    networks: frozenset[str] = frozenset()
    spikes: tuple[tuple[int, int], ...] = ()
    nights: tuple[tuple[int, int], ...] = ()


def learn(history: History, until: int, unlearned: Unlearned = Unlearned()) -> Baseline:
    """The baseline up to an instant: hours that begin later, and callers first seen later, are left out."""
    by_hour, failed = Counter[int](), Counter[int]()
    for hour in history.hours:
        if until - SPAN <= hour.at < until - UNLEARNED + 1:
            good = hour.outcome in SUCCESSES
            if good and not _is_in(hour.at, unlearned.nights):
                by_hour[hour.at] += hour.requests
            elif hour.outcome in FAILURES and not _is_in(hour.at, unlearned.spikes):
                failed[hour.at] += hour.requests
    days_at = [0] * HOURS_OF_WEEK
    for at in by_hour:
        days_at[hour_of_week(at)] += 1
    known = _networks(history.visits, until, unlearned)
    settled = max(until - SPAN, (history.first_at or 0) + SETTLED)
    days = [day for day in history.days if day < until - until % DAY]
    return Baseline(
        until=until,
        first_at=history.first_at,
        last_at=max([*(at + HOUR for at in by_hour), *(day + DAY for day in days[-1:])], default=None),
        requests=sum(by_hour.values()) + sum(failed.values()),
        failures=sum(failed.values()),
        failure_squares=sum(count * count for count in failed.values()),
        worst_hour=max(failed.values(), default=0),
        active_hours=len(by_hour.keys() | failed.keys()),
        active_days=len({at // DAY for at in by_hour}),
        days_at=tuple(days_at),
        permissions=tuple(sorted(filter(None, history.permissions))),
        denied=tuple(sorted(filter(None, history.denied))),
        networks=frozenset(known),
        arrivals=_arrivals(known, settled),
        longest_gap_days=max(((later - day) // DAY for day, later in pairwise(days)), default=0),
    )


def pooled(baselines: Iterable[Baseline]) -> Baseline:
    """What is usual for the failures of a workspace's keys: a young key is measured against this."""
    all = [*baselines]
    return Baseline(
        until=max((each.until for each in all), default=0),
        requests=sum(each.requests for each in all),
        failures=sum(each.failures for each in all),
        failure_squares=sum(each.failure_squares for each in all),
        worst_hour=max((each.worst_hour for each in all), default=0),
        active_hours=sum(each.active_hours for each in all),
    )


def hour_of_week(at: int) -> int:
    """0 for Monday from midnight, UTC."""
    return (at // HOUR + _FIRST_HOUR) % HOURS_OF_WEEK


def _networks(visits: Iterable[Visit], until: int, unlearned: Unlearned) -> dict[str, int]:
    """Networks and when each was first seen; the most recently seen if there are too many."""
    first, last = dict[str, int](), dict[str, int]()
    for visit in visits:
        if visit.network and visit.network not in unlearned.networks and visit.first_at < until - UNLEARNED:
            first[visit.network] = min(first.get(visit.network, visit.first_at), visit.first_at)
            last[visit.network] = max(last.get(visit.network, visit.last_at), visit.last_at)
    kept = sorted(last, key=lambda network: -last[network])[:MOST_NETWORKS]
    return {network: first[network] for network in kept}


def _arrivals(first_seen: dict[str, int], settled: int) -> int:
    """How many neighborhoods were first seen since: the next machine of one provider's region is no arrival."""
    first = dict[str, int]()
    for network, at in first_seen.items():
        place = neighborhood(network)
        first[place] = min(first.get(place, at), at)
    return sum(at >= settled for at in first.values())


@lru_cache(maxsize=16_384)
def neighborhood(network: str) -> str:
    """The /16 of an IPv4 network, the /32 of an IPv6 one."""
    if network == FOLDED:
        return network
    place = ipaddress.ip_network(network)
    return str(place.supernet(new_prefix=_NEIGHBORHOOD_BITS[place.version]))


def _is_in(at: int, spans: tuple[tuple[int, int], ...]) -> bool:
    return any(first - HOUR < at <= last for first, last in spans)
