"""The chart of days in the coming months on which many keys expire: SVG bars, with a table of the same data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from app import catalogue, clock
from app.clock import DAY
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.key import ApiKey, Status
from app.paging import Window
from app.web.framework.page import Page
from app.web.presentation import ticks
from app.web.presentation.chart import Chart, Step, chart
from app.web.presentation.filters import plural

DAYS_AHEAD: Final = 90
# The chart is shown from so many keys on one day.
CROWD: Final = 3
MOST_KEYS: Final = 2_000
_PAGE: Final = 100
_LIVING: Final = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))


@dataclass(frozen=True, slots=True)
class ExpiryDay:
    """The keys that expire on one day."""

    day: date
    keys: tuple[ApiKey, ...]

    @property
    def is_crowded(self) -> bool:
        return len(self.keys) >= CROWD


@dataclass(frozen=True, slots=True)
class ExpiryChart:
    """Every day of the coming months."""

    days: tuple[ExpiryDay, ...]
    chart: Chart

    @property
    def crowded(self) -> tuple[ExpiryDay, ...]:
        """The days on which many keys expire, the soonest first."""
        return tuple(each for each in self.days if each.is_crowded)

    @property
    def total(self) -> int:
        return sum(len(each.keys) for each in self.days)


def expiry_chart(living: Iterable[ApiKey], now: int, zone: str) -> ExpiryChart | None:
    """The chart, with days of the time zone; None if no day is crowded."""
    today = _day(now, zone)
    by_day: dict[date, list[ApiKey]] = {today + timedelta(days=ahead): [] for ahead in range(DAYS_AHEAD)}
    for key in living:
        if key.expires_at is not None and (day := _day(key.expires_at, zone)) in by_day:
            by_day[day].append(key)
    days = tuple(ExpiryDay(day, tuple(found)) for day, found in by_day.items())
    first = next((index for index, each in enumerate(days) if each.is_crowded), None)
    if first is None:
        return None
    dates, steps = list(by_day), [_step(each) for each in days]
    ends = ("today", f"{dates[-1]:%-d %b}")
    return ExpiryChart(days, chart(steps, dates, ticks.of_days(dates), ends, with_rate=False, shown=first))


async def expiring_keys(page: Page) -> list[ApiKey]:
    """The live keys of the page's workspace that expire within the coming months, the soonest first."""
    found: list[ApiKey] = []
    window = Window(_PAGE)
    horizon = page.now + (DAYS_AHEAD + 1) * DAY
    while len(found) < MOST_KEYS:
        part = await keys.page(page.access, window, _LIVING, Order.EXPIRES_AT, descending=False)
        ending = [key for key in part.items if key.expires_at is not None and key.expires_at <= horizon]
        found += ending
        if not part.has_next or len(ending) < len(part.items):
            break
        window = Window(_PAGE, after=position_of(part.items[-1], Order.EXPIRES_AT, catalogue.current(), page.now))
    return found


def _step(each: ExpiryDay) -> Step:
    expiring = plural(len(each.keys), "key expires", "keys expire")
    return Step(len(each.keys), len(each.keys) if each.is_crowded else 0, f"{each.day:%a %-d %b %Y}: {expiring}")


def _day(instant: int, zone: str) -> date:
    return clock.in_zone(instant, zone).date()
