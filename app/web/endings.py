"""Which days of the coming months many keys end on, drawn as the requests are: bars from the server, a table behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from app import clock
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.keys.listing import KeyFilter, Order, Window, place_of
from app.web.chart import FLOOR, WIDTH, Canvas, length, round_up
from app.web.page import Page

DAYS_AHEAD: Final = 90
# From so many keys on one day the chart is worth its place.
CROWD: Final = 3
MOST_KEYS: Final = 2_000
_PAGE: Final = 100
_LIVING: Final = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))


@dataclass(frozen=True, slots=True)
class Ending:
    """The keys that end on one day, and the day's bar in the chart's own units."""

    day: date
    keys: tuple[ApiKey, ...]
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Endings(Canvas):
    """Every day of the time to come; `top` is the number of keys at the upper line."""

    days: tuple[Ending, ...]
    top: int

    @property
    def crowded(self) -> tuple[Ending, ...]:
        """The days on which many end, the soonest first."""
        return tuple(each for each in self.days if len(each.keys) >= CROWD)

    @property
    def total(self) -> int:
        return sum(len(each.keys) for each in self.days)


def endings(living: Iterable[ApiKey], now: int, zone: str) -> Endings | None:
    """Days are those of the time zone; None where no day is crowded."""
    today = _day(now, zone)
    by_day: dict[date, list[ApiKey]] = {today + timedelta(days=ahead): [] for ahead in range(DAYS_AHEAD)}
    for key in living:
        if key.expires_at is not None and (day := _day(key.expires_at, zone)) in by_day:
            by_day[day].append(key)
    most = max(len(found) for found in by_day.values())
    if most < CROWD:
        return None
    top = round_up(most)
    return Endings(tuple(_ending(index, day, found, top) for index, (day, found) in enumerate(by_day.items())), top)


async def ending_keys(page: Page) -> list[ApiKey]:
    """The living keys of the page's workspace that end within the time to come, the soonest first."""
    found: list[ApiKey] = []
    window = Window(_PAGE)
    horizon = page.now + (DAYS_AHEAD + 1) * DAY
    while len(found) < MOST_KEYS:
        part = await keys.page(page.actor, page.slug, window, _LIVING, Order.EXPIRES_AT, descending=False)
        ending = [key for key in part.keys if key.expires_at is not None and key.expires_at <= horizon]
        found += ending
        if not part.has_next or len(ending) < len(part.keys):
            break
        window = Window(_PAGE, after=place_of(part.keys[-1], Order.EXPIRES_AT, page.now))
    return found


def _ending(index: int, day: date, found: list[ApiKey], top: int) -> Ending:
    slot, height = WIDTH / DAYS_AHEAD, length(len(found), top)
    return Ending(day, tuple(found), round(index * slot + slot * 0.14, 2), round(slot * 0.72, 2), round(FLOOR - height, 2), height)


def _day(instant: int, zone: str) -> date:
    return clock.in_zone(instant, zone).date()
