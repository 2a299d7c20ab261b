"""Template filters that write instants, numbers and names for people."""

from __future__ import annotations

import math
from typing import Final

from markupsafe import Markup

from app import clock
from app.keys.key import Reason

# From which distance on a unit is used, and its length. Keys last for 90 days, which "2 months" would misstate.
_STEPS: Final = (
    (clock.DAY * 365, clock.DAY * 365, "year"),
    (clock.DAY * 100, clock.DAY * 30, "month"),
    (clock.DAY, clock.DAY, "day"),
    (clock.HOUR, clock.HOUR, "hour"),
    (clock.MINUTE, clock.MINUTE, "minute"),
    (clock.SECOND, clock.SECOND, "second"),
)
REASONS: Final = {
    Reason.NO_LONGER_NEEDED: "No longer needed",
    Reason.COMMITTED_TO_REPOSITORY: "Committed to a repository",
    Reason.EXPOSED_IN_LOGS: "Exposed in logs",
    Reason.SHARED_INSECURELY: "Shared insecurely",
    Reason.SUSPICIOUS_ACTIVITY: "Suspicious activity",
    Reason.MEMBER_LEFT: "A member left",
    Reason.ROTATED: "Rotated",
    Reason.OTHER: "Something else",
}
# Someone else may have the secret.
LEAK_REASONS: Final = {
    each: REASONS[each]
    for each in (
        Reason.COMMITTED_TO_REPOSITORY,
        Reason.EXPOSED_IN_LOGS,
        Reason.SHARED_INSECURELY,
        Reason.SUSPICIOUS_ACTIVITY,
        Reason.MEMBER_LEFT,
    )
}


def number(value: int) -> str:
    """`184,210`."""
    return f"{value:,}"


def compact(value: float) -> str:
    """`950`, `8k`, `1.5M`: for the labels of an axis."""
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def percent(rate: float) -> str:
    """`98.6%`, rounded down, so that only all is `100%` and only none is `0%`."""
    rounded = math.floor(rate * 1_000) / 10
    return "under 0.1%" if 0 < rate < 0.001 else f"{rounded:g}%"


def hour(instant: int) -> str:
    """`22 Nov, 14:00`, in UTC."""
    return f"{clock.to_datetime(instant):%-d %b, %H:%M}"


def relative(instant: int, now: int) -> str:
    """`12 seconds ago`, `in 9 days`, `just now`."""
    distance = abs(now - instant)
    for least, length, name in _STEPS:
        if distance >= least:
            count = distance // length
            amount = f"{count} {name}{'s' if count != 1 else ''}"
            return f"in {amount}" if instant > now else f"{amount} ago"
    return "just now"


def exact(instant: int, zone: str = "UTC") -> str:
    """`Sun 22 Nov 2026, 17:40 CET`."""
    return f"{clock.in_zone(instant, zone):%a %-d %b %Y, %H:%M %Z}"


def day(instant: int, zone: str = "UTC") -> str:
    """`22 Nov 2026`."""
    return f"{clock.in_zone(instant, zone):%-d %b %Y}"


def time_of_day(instant: int, zone: str = "UTC") -> str:
    """`17:40 CET`."""
    return f"{clock.in_zone(instant, zone):%H:%M %Z}"


def when(instant: int | None, now: int, zone: str = "UTC", never: str = "Never") -> Markup:
    """A relative time, exact on hover; a script keeps it current while the page is open."""
    if instant is None:
        return Markup('<span class="soft">{}</span>').format(never)
    stamp = clock.to_datetime(instant).isoformat(timespec="seconds").replace("+00:00", "Z")
    # A page has a hundred of them, and Markup.format takes as long as all the rest.
    return Markup(f'<time datetime="{stamp}" title="{exact(instant, zone)}" data-relative>{relative(instant, now)}</time>')  # noqa: S704 - digits, and names of days, months and zones


def input_time(instant: int | None, zone: str) -> str:
    """For `<input type=datetime-local>`, in the workspace's time zone."""
    return "" if instant is None else f"{clock.in_zone(instant, zone):%Y-%m-%dT%H:%M}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 key`, `4 keys`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def reason(value: Reason) -> str:
    return REASONS[value]
