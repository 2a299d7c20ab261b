"""A world of keys for 60 days, from a seed: rhythms, deployments, offices, mobile networks, holidays, and labeled incidents."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.alerts.alert import Kind
from app.clock import DAY, HOUR, MINUTE, SECOND, from_datetime, in_zone, parse_rfc3339, to_datetime
from app.tenancy.workspace import DAYS, BusinessHours

START: Final = parse_rfc3339("2026-03-02T00:00:00Z")
LENGTH_DAYS: Final = 60
END: Final = START + LENGTH_DAYS * DAY
# Incidents begin when most keys have left their learning behind.
FIRST_INCIDENT_DAY: Final = 20
HOLIDAYS: Final = (35, 38)  # Good Friday and Easter Monday 2026
PERMISSIONS: Final = ("pdf.generate", "pdf.read", "pdf.delete", "template.read", "template.write")
ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Sydney")
AGENTS: Final = ("python-requests", "okhttp", "axios", "Go-http-client", "curl")


class Event(NamedTuple):
    """Requests of a key that came together."""

    at: int
    network: str
    user_agent: str
    permission: str
    outcome: str
    requests: int


class Incident(NamedTuple):
    """A labeled incident. `evident_at`: when enough has happened for the rule to be able to say so."""

    kind: Kind
    begins: int
    ends: int
    evident_at: int


@dataclass
class Place:
    """A workspace."""

    zone: str
    business_hours: BusinessHours | None
    familiar: dict[str, int] = field(default_factory=dict)


@dataclass
class SimulatedKey:
    """A key with everything that happens to it. `style` is how it is used."""

    number: int
    place: Place
    style: str
    created_at: int
    held: tuple[str, ...]
    used: tuple[str, ...]
    networks: list[str]
    agent: str
    rate: float
    failing: float
    opens: int = 8
    closes: int = 18
    revoked_at: int | None = None
    expires_at: int | None = None
    silent: tuple[int, int] | None = None
    events: list[Event] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)

    @property
    def ends_at(self) -> int:
        return min(END, *(at for at in (self.revoked_at, self.expires_at, END) if at is not None))


def world(seed: int, keys: int) -> list[SimulatedKey]:
    """All keys with their events in order."""
    dice = random.Random(seed)
    made = [_key(dice, number, place) for place in _places(dice, keys // 6) for number in range(6)]
    for number, key in enumerate(made):
        key.number = number
    _incidents(dice, made)
    for key in made:
        key.events += _usual(dice, key)
        key.events.sort()
    return made


def _places(dice: random.Random, count: int) -> list[Place]:
    hours = BusinessHours(DAYS[:5], "08:00", "18:00")
    return [Place(dice.choice(ZONES), hours if dice.random() < 0.5 else None) for _ in range(count)]


def network(dice: random.Random, near: str | None = None) -> str:
    first = near.rsplit(".", 2)[0] if near else f"{dice.randint(11, 220)}.{dice.randint(0, 255)}"
    return f"{first}.{dice.randint(0, 255)}.0/24"


def _key(dice: random.Random, number: int, place: Place) -> SimulatedKey:
    style = ("server", "office", "mobile", "nightly", "flapping", "office")[number]
    if style == "nightly" and dice.random() < 0.3:
        style = "monthly"
    home = network(dice)
    networks = [home, *(network(dice, home) for _ in range(dice.randint(0, 3)))]
    created = START if dice.random() < 0.8 else START + dice.randint(0, 40) * DAY + dice.randint(0, 23) * HOUR
    used = tuple(PERMISSIONS[: dice.choice((1, 2, 2))])
    held = tuple(sorted({*used, *dice.sample(PERMISSIONS, dice.randint(1, 3))}))
    opens = dice.randint(7, 9)
    if style == "office" and dice.random() < 0.1:
        _move_office(dice, place, networks)
    return SimulatedKey(
        number, place, style, created, held, used, networks, dice.choice(AGENTS),
        rate=math.exp(dice.uniform(1.5, 5.5)), failing=math.exp(dice.uniform(-7, -4)), opens=opens, closes=opens + 10,
    )  # fmt: skip


def _move_office(dice: random.Random, place: Place, networks: list[str]) -> None:
    """A new office; the members sign in to the dashboard from there, nearly always before their programs work there."""
    new = network(dice)
    at = START + dice.randint(15, 50) * DAY
    networks.append(f"{new}@{at}")
    if dice.random() < 0.9:
        place.familiar[new] = at


def _usual(dice: random.Random, key: SimulatedKey) -> Iterator[Event]:
    """Everything that is no incident."""
    networks, mobile = _timeline(key), [network(dice) for _ in range(30)]
    late = dice.randint(0, 59) if key.style == "office" and dice.random() < 0.03 else None
    feature = START + dice.randint(20, 55) * DAY if dice.random() < 0.01 else None
    moved = START + dice.randint(20, 55) * DAY if key.style == "server" and dice.random() < 0.03 else None
    new_home = network(dice)
    bad_until = 0
    hour = key.created_at - key.created_at % HOUR
    while (hour := hour + HOUR) < key.ends_at:
        if key.silent and key.silent[0] <= hour < key.silent[1]:
            continue
        day = (hour - START) // DAY
        level = _level(dice, key, hour, day, late)
        if not level:
            continue
        if key.style == "mobile":
            for _ in range(_poisson(dice, 0.4)):
                mobile[dice.randrange(len(mobile))] = network(dice)
            places = dice.sample(mobile, 3)
        elif moved and hour >= moved:
            places = [new_home]
        else:
            places = [place for place, since in networks if since <= hour][-4:]
        count = _poisson(dice, level)
        used = key.used
        if feature and hour >= feature:
            used = (*key.used, next((name for name in key.held if name not in key.used), key.used[0]))
        for permission in used:
            if share := count // len(used):
                yield Event(hour + dice.randint(0, HOUR - 1), dice.choice(places), key.agent, permission, "VALID", share)
        if key.style == "flapping" and hour >= bad_until and dice.random() < 0.03:
            bad_until = hour + dice.randint(1, 3) * HOUR
        failing = dice.uniform(0.05, 0.3) if hour < bad_until else key.failing * dice.gammavariate(0.7, 1.4)
        yield from _failures(dice, key, hour, _poisson(dice, count * failing), places)
        if dice.random() < 1 / 72:  # a deployment, with a few failures while it restarts
            yield from _failures(dice, key, hour, dice.randint(1, 12), places, span=4 * MINUTE)
        if hour - key.created_at < 6 * HOUR:  # being set up
            yield from _failures(dice, key, hour, dice.randint(0, 15), places[:1], outcome="PERMISSION_DENIED")


def _level(dice: random.Random, key: SimulatedKey, hour: int, day: int, late: int | None) -> float:
    """The expected requests of this hour."""
    local = in_zone(hour, key.place.zone)
    weekend, daylight = local.weekday() >= 5, 0.6 + 0.4 * math.sin((local.hour - 8) / 24 * 2 * math.pi)
    match key.style:
        case "server" | "mobile" | "flapping":
            return key.rate * daylight * (0.6 if weekend else 1.0)
        case "nightly":
            return key.rate * 3 if local.hour == 2 else 0.0
        case "monthly":
            return key.rate * 10 if (in_zone(hour + DAY, key.place.zone).day == 1) and local.hour in (2, 3) else 0.0
    works_late = local.toordinal() - in_zone(START, key.place.zone).toordinal() == late
    if weekend or day in HOLIDAYS:
        return key.rate / 3 if works_late and 10 <= local.hour < 14 else 0.0
    overtime = works_late and local.hour in (21, 22)
    if key.opens <= local.hour < key.closes or overtime:
        return key.rate * dice.uniform(0.3, 1.2)
    return key.rate / 5 if local.hour == key.closes and dice.random() < 0.2 else 0.0


def _timeline(key: SimulatedKey) -> list[tuple[str, int]]:
    """The key's networks, and since when it has them."""
    return [(place, int(since or 0)) for place, _, since in (text.partition("@") for text in key.networks)]


def _failures(
    dice: random.Random, key: SimulatedKey, hour: int, count: int, places: list[str], *, span: int = HOUR, outcome: str = "FAILED"
) -> Iterator[Event]:
    begins = hour + dice.randint(0, HOUR - span)
    permission = key.used[0]
    for _ in range(min(count, 6)):
        share = math.ceil(count / 6)
        yield Event(begins + dice.randint(0, span - 1), dice.choice(places), key.agent, permission, outcome, share)


def _incidents(dice: random.Random, keys: list[SimulatedKey]) -> None:
    """Gives about half of the keys one incident each."""
    free = [key for key in keys if key.created_at == START]
    dice.shuffle(free)
    each = max(2, len(keys) // 12)
    makers = (
        (_stolen, ("server", "office", "nightly", "flapping")), (_broken, ("server", "mobile", "office", "flapping")),
        (_night, ("office",)), (_probing, ("server", "office", "nightly", "flapping")), (_revoked, ("server", "office", "mobile")),
        (_expired, ("server", "nightly", "mobile", "office")), (_dormant, ("server", "mobile", "flapping")),
    )  # fmt: skip
    for make, styles in makers:
        for _ in range(each):
            if key := next((key for key in free if key.style in styles), None):
                free.remove(key)
                make(dice, key)
    for key in [key for key in keys if key.created_at > START][: each // 2]:
        _attacked_when_new(dice, key)


def _moment(dice: random.Random, key: SimulatedKey, hours: tuple[int, int] = (0, 23)) -> int:
    """An instant at which an incident begins, in these local hours of a working day."""
    while True:
        at = (
            START
            + dice.randint(FIRST_INCIDENT_DAY, LENGTH_DAYS - 3) * DAY
            + dice.randint(0, 23) * HOUR
            + dice.randint(0, 3599) * SECOND
        )
        local = in_zone(at, key.place.zone)
        if hours[0] <= local.hour <= hours[1] and local.weekday() < 5 and (at - START) // DAY not in HOLIDAYS:
            return at


def _burst(
    dice: random.Random, key: SimulatedKey, at: int, count: int, span: int, place: str, permission: str, outcome: str, agent: str
) -> list[int]:
    """Single requests over a time; returns their instants."""
    instants = sorted([at, *(at + dice.randint(0, span) for _ in range(count - 1))])
    key.events += [Event(instant, place, agent, permission, outcome, 1) for instant in instants]
    return instants


def _stolen(dice: random.Random, key: SimulatedKey) -> None:
    hours = (key.opens + 1, key.closes - 2) if key.style == "office" else (0, 23)
    at = _moment(dice, key, hours)
    seen = _burst(
        dice, key, at, dice.randint(1, 60), dice.randint(1, 90) * MINUTE, network(dice), key.used[0], "VALID", dice.choice(AGENTS)
    )
    key.incidents.append(Incident(Kind.UNEXPECTED_NETWORK, at, seen[-1], at))


def _broken(dice: random.Random, key: SimulatedKey) -> None:
    """A deployment that fails for most requests, until someone notices."""
    at = _moment(dice, key, (key.opens + 1, key.closes - 2))
    span = dice.randint(10, 60) * MINUTE
    usual = key.rate * max(key.failing, 0.12 if key.style == "flapping" else 0)
    count = int(max(60, 20 * usual) * dice.uniform(1.5, 4) * max(1, span / HOUR * 2))
    seen = _burst(dice, key, at, min(count, 4000), span, key.networks[0].partition("@")[0], key.used[0], "FAILED", key.agent)
    # Twenty failures, or as many as the usual hour of a key that fails by nature has several times over.
    evident = seen[min(len(seen) - 1, int(max(40, 8 * usual)))]
    key.incidents.append(Incident(Kind.FAILURE_SPIKE, at, seen[-1], evident))


def _night(dice: random.Random, key: SimulatedKey) -> None:
    at = _moment(dice, key, (0, 4))
    seen = _burst(
        dice,
        key,
        at,
        dice.randint(5, 60),
        dice.randint(5, 50) * MINUTE,
        key.networks[0].partition("@")[0],
        key.used[0],
        "VALID",
        key.agent,
    )
    key.incidents.append(Incident(Kind.OUTSIDE_BUSINESS_HOURS, at, seen[-1], seen[2]))


def _probing(dice: random.Random, key: SimulatedKey) -> None:
    at = _moment(dice, key, (key.opens + 1, key.closes - 2) if key.style == "office" else (0, 23))
    held = [name for name in key.held if name not in key.used]
    strange = [name for name in PERMISSIONS if name not in key.held]
    wanted, outcome = (
        (dice.choice(strange), "PERMISSION_DENIED") if strange and (not held or dice.random() < 0.5) else (held[0], "VALID")
    )
    seen = _burst(dice, key, at, dice.randint(1, 12), 5 * MINUTE, key.networks[0].partition("@")[0], wanted, outcome, key.agent)
    key.incidents.append(Incident(Kind.UNUSED_PERMISSION, at, seen[-1], at))


def _revoked(dice: random.Random, key: SimulatedKey) -> None:
    key.revoked_at = at = _moment(dice, key)
    _after_end(dice, key, at, Kind.USE_AFTER_REVOCATION, "REVOKED")


def _expired(dice: random.Random, key: SimulatedKey) -> None:
    key.expires_at = at = _moment(dice, key)
    _after_end(dice, key, at, Kind.USE_AFTER_EXPIRY, "EXPIRED")


def _after_end(dice: random.Random, key: SimulatedKey, at: int, kind: Kind, outcome: str) -> None:
    place = key.networks[0].partition("@")[0]
    if dice.random() < 0.7:  # on their way when it ended
        _burst(dice, key, at, 3, 20 * SECOND, place, key.used[0], outcome, key.agent)
    begins = at + dice.randint(2, 2_000) * MINUTE
    seen = _burst(dice, key, begins, dice.randint(1, 30), dice.randint(1, 300) * MINUTE, place, key.used[0], outcome, key.agent)
    key.incidents.append(Incident(kind, begins, seen[-1], begins))


def _dormant(dice: random.Random, key: SimulatedKey) -> None:
    asleep = START + dice.randint(3, 15) * DAY
    awake = asleep + dice.randint(32, 40) * DAY + dice.randint(0, 86_399) * SECOND
    key.silent = (asleep, END)
    seen = _burst(
        dice, key, awake, dice.randint(1, 40), 40 * MINUTE, key.networks[0].partition("@")[0], key.used[0], "VALID", key.agent
    )
    key.incidents.append(Incident(Kind.DORMANT_KEY, awake, seen[-1], awake))


def _attacked_when_new(dice: random.Random, key: SimulatedKey) -> None:
    """A key that was leaked as it was made: within seconds, many networks try it for what it cannot do."""
    at = key.created_at + dice.randint(2, 600) * SECOND
    count = dice.randint(60, 300)
    instants = sorted(at + dice.randint(0, 60 * SECOND) for _ in range(count))
    key.events += [Event(instant, network(dice), "curl", "pdf.delete", "PERMISSION_DENIED", 1) for instant in instants]
    key.incidents.append(Incident(Kind.FAILURE_SPIKE, at, instants[-1], instants[9]))


def _poisson(dice: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, dice.random()
    while product > limit:
        count, product = count + 1, product * dice.random()
    return count


def text(instant: int) -> str:
    return f"{to_datetime(instant):%d %b %H:%M:%S}"


__all__ = ["END", "START", "Event", "Incident", "SimulatedKey", "from_datetime", "text", "world"]
