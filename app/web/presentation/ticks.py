"""The time axis of a chart: its dates, and its weekends. Positions are in percent of the width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar

_Step = TypeVar("_Step", bound=date)
_MOST: Final = 8
# Of a chart with weekends.
_FEWEST_DAYS, _MOST_DAYS = 2, 100
# A label needs so much room (percent) beside the ones at the ends.
ROOM: Final = 14
_ROOM_ON_NARROW: Final = 38


@dataclass(frozen=True, slots=True)
class Tick:
    """A label in the middle of its step; a `minor` one is left out where there is little space."""

    x: float
    label: str
    minor: bool = False


def of_days(days: Sequence[date]) -> tuple[Tick, ...]:
    """Each day, Mondays, the first of each month or of each quarter: whatever few labels can name."""
    for named, text in (
        (lambda day: len(days) <= _MOST, "%a %-d %b"),
        (lambda day: len(days) <= 100 and day.weekday() == 0, "%-d %b"),
        (lambda day: len(days) <= 400 and day.day == 1, "%b %Y" if len(days) > 200 else "%-d %b"),
        (lambda day: day.day == 1 and day.month % 3 == 1, "%b %Y"),
    ):
        if found := _ticks(days, named, text):
            return found
    return ()


def of_hours(hours: Sequence[datetime]) -> tuple[Tick, ...]:
    """Every fourth hour of a day, or the days."""
    if len(hours) <= 24:
        return _ticks(hours, lambda hour: hour.hour % 4 == 0, "%H:%M")
    return _ticks(hours, lambda hour: hour.hour == 0, "%-d %b")


def weekends(days: Sequence[date]) -> tuple[tuple[float, float], ...]:
    """Start and width of each weekend; none in a day or two, and none where there are too many to see them."""
    slot, found = 100 / max(1, len(days)), list[tuple[float, float]]()
    if not days or not _FEWEST_DAYS <= (days[-1] - days[0]).days <= _MOST_DAYS:
        return ()
    for index, day in enumerate(days):
        if day.weekday() >= 5:
            start = round(index * slot, 3)
            if found and abs(found[-1][0] + found[-1][1] - start) < slot / 2:
                start = found.pop()[0]
            found.append((start, round((index + 1) * slot - start, 3)))
    return tuple(found)


def _ticks(steps: Sequence[_Step], named: Callable[[_Step], bool], text: str) -> tuple[Tick, ...]:
    """A label for each named step, thinned out to _MOST; the end of the axis is left to the label of the present."""
    slot = 100 / max(1, len(steps))
    places = [(round((index + 0.5) * slot, 3), step) for index, step in enumerate(steps) if named(step)]
    every = -(-len(places) // _MOST)
    shown = [(x, step) for x, step in places[::-1][::every][::-1] if x <= 100 - ROOM] if places else []
    narrow = [x for x, _ in shown if x <= 100 - _ROOM_ON_NARROW][::-2]
    return tuple(Tick(x, step.strftime(text), minor=x not in narrow) for x, step in shown)
