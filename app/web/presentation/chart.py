"""SVG charts rendered on the server: no script, no inline style, the page's own colors; a table has the same data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.usage.usage import Point

WIDTH: Final = 720
HEIGHT: Final = 160
FLOOR: Final = HEIGHT - 2


class Canvas:
    """The drawing area of a chart."""

    __slots__ = ()

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def height(self) -> int:
        return HEIGHT


@dataclass(frozen=True, slots=True)
class Bar:
    """One time step in chart units: the failed part is stacked on the successful one."""

    x: float
    width: float
    successful_y: float
    successful_height: float
    failed_y: float
    failed_height: float
    point: Point


@dataclass(frozen=True, slots=True)
class Chart(Canvas):
    """`top` is the number of requests at the upper line."""

    bars: tuple[Bar, ...]
    top: int

    @property
    def middle(self) -> int:
        return HEIGHT // 2


def bars(series: Sequence[Point]) -> Chart:
    """A bar for every step; a step with any requests has a bar of at least one unit, so that it is visible."""
    top = round_up(max((point.counts.total for point in series), default=0))
    slot = WIDTH / max(1, len(series))
    return Chart(tuple(_bar(index, slot, point, top) for index, point in enumerate(series)), top)


def _bar(index: int, slot: float, point: Point, top: int) -> Bar:
    successful, failed = length(point.counts.successful, top), length(point.counts.failed, top)
    return Bar(
        x=round(index * slot + slot * 0.14, 2),
        width=round(slot * 0.72, 2),
        successful_y=round(FLOOR - successful, 2),
        successful_height=successful,
        failed_y=round(FLOOR - successful - failed, 2),
        failed_height=failed,
        point=point,
    )


def length(requests: int, top: int) -> float:
    return max(1.0, round((FLOOR - 4) * requests / top, 2)) if requests else 0.0


def round_up(most: int) -> int:
    """Rounds up to 1, 2, 3, 4, 5, 6, 8, 10, 20, …: an axis label that is easy to read, as is its half."""
    size = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if most <= factor * size:
                return factor * size
        size *= 10
