"""Every drawing of the dashboard, rendered on the server as SVG: charts, sparklines, comparisons.

No script and no inline style: horizontal positions are percentages, so that a drawing fills any width and its text is never
stretched; heights are pixels. The page's own colors; a table has the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.web.presentation.ticks import ROOM, Tick, weekends

HEIGHT: Final = 150
STRIP: Final = 28
_GAP: Final = 12
_LABELS: Final = 20
SPARK_HEIGHT: Final = 24
# Of a bar's slot; the rest is the gap to the next bar.
_SHARE: Final = 0.78
_THINNEST: Final = 0.6


@dataclass(frozen=True, slots=True)
class Step:
    """What one bar shows: `failed` is a part of `amount`. `words` are its figures in a sentence."""

    amount: int
    failed: int = 0
    words: str = ""
    # Not over yet: its figures are those so far.
    is_open: bool = False

    @property
    def rate(self) -> float:
        return self.failed / self.amount if self.amount else 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle's vertical place."""

    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One step; the failed part is stacked on the rest, `rate` is drawn below on a scale of its own. A part may be None."""

    x: float
    width: float
    slot: float
    slot_width: float
    rest: Part | None
    failed: Part | None
    rate: Part | None
    step: Step


@dataclass(frozen=True, slots=True)
class Bars:
    """`top` is the amount at the upper line, `top_rate` the percentage at that of the strip; 0: there is no strip."""

    bars: tuple[Bar, ...]
    top: int
    height: int
    top_rate: int = 0

    @property
    def strip_top(self) -> int:
        return self.height + _GAP

    @property
    def floor(self) -> int:
        """Where the lowest drawing ends."""
        return self.strip_top + STRIP if self.top_rate else self.height

    @property
    def total_height(self) -> int:
        return self.floor + _LABELS

    @property
    def middle(self) -> float | None:
        """The amount at the middle line, if it is a whole number."""
        return self.top // 2 if self.top % 2 == 0 else None


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars with an axis of dates: `ticks` between the labels of its two ends. `bands` are the weekends; `shown` is the index
    of the bar whose figures are shown at first."""

    drawn: Bars
    ticks: tuple[Tick, ...]
    bands: tuple[tuple[float, float], ...]
    first: str
    last: str
    shown: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is usual beside what was found, as two lengths in percent of one scale."""

    usual: float
    now: float


def chart(
    steps: Sequence[Step],
    days: Sequence[date],
    ticks: tuple[Tick, ...],
    ends: tuple[str, str],
    *,
    with_rate: bool = True,
    shown: int | None = None,
) -> Chart:
    """`days` has the day of each step, `ends` are the labels of the axis at its ends; `with_rate`: the strip of rates is drawn;
    `shown`: by default the last."""
    is_free = not ticks or ticks[0].x > ROOM
    first = ends[0] if is_free and len(steps) > 1 else ""
    return Chart(_bars(steps, HEIGHT, with_rate), ticks, weekends(days), first, ends[1], len(steps) - 1 if shown is None else shown)


def sparkline(steps: Sequence[Step]) -> Bars:
    """Bars without an axis, for a row of a table."""
    return _bars(steps, SPARK_HEIGHT, with_rate=False)


def comparison(usual: float, now: float) -> Comparison:
    top = max(usual, now, 1e-9)
    return Comparison(*(max(_THINNEST, round(100 * value / top, 2)) for value in (usual, now)))


def _bars(steps: Sequence[Step], height: int, with_rate: bool) -> Bars:
    """A bar for every step; one with any amount is at least a pixel high, so that it is visible."""
    top = round_up(max((step.amount for step in steps), default=0))
    worst = max((step.rate for step in steps), default=0.0) if with_rate else 0.0
    drawn = Bars((), top, height, _round_up_percent(worst) if worst else 0)
    slot = 100 / max(1, len(steps))
    return Bars(tuple(_bar(index, slot, step, drawn) for index, step in enumerate(steps)), top, height, drawn.top_rate)


def round_up(most: int) -> int:
    """Rounds up to 1, 2, 3, 4, 5, 6, 8, 10, 20, …: an axis label that is easy to read, as is its half."""
    size = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if most <= factor * size:
                return factor * size
        size *= 10


def _round_up_percent(rate: float) -> int:
    return next(percent for percent in (1, 2, 5, 10, 20, 50, 100) if 100 * rate <= percent)


def _bar(index: int, slot: float, step: Step, drawn: Bars) -> Bar:
    rest, failed = _length(step.amount - step.failed, drawn.top, drawn.height), _length(step.failed, drawn.top, drawn.height)
    rate = _length(step.rate, drawn.top_rate / 100, STRIP) if drawn.top_rate else 0.0
    return Bar(
        x=round((index + (1 - _SHARE) / 2) * slot, 3),
        width=round(_SHARE * slot, 3),
        slot=round(index * slot, 3),
        slot_width=round(slot, 3),
        rest=_part(drawn.height - rest, rest),
        failed=_part(max(0.0, drawn.height - rest - failed), failed),
        rate=_part(drawn.strip_top + STRIP - rate, rate),
        step=step,
    )


def _length(value: float, top: float, height: int) -> float:
    return max(1.0, round(height * value / top, 2)) if value else 0.0


def _part(y: float, height: float) -> Part | None:
    return Part(round(y, 2), height) if height else None
