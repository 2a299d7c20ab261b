"""Usage as drawings: the requests of a period as a chart, those of the last days as a sparkline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app import clock
from app.usage.usage import Comparison, Counts, Granularity, Point
from app.web.presentation import ticks
from app.web.presentation.chart import Bars, Chart, Step, chart, sparkline
from app.web.presentation.filters import number, percent, plural


def usage_chart(series: Sequence[Point], granularity: Granularity, now: int) -> Chart:
    """The requests of each hour or day (UTC), with the failed ones' rate."""
    starts = [clock.to_datetime(point.at) for point in series]
    steps = [
        Step(
            point.counts.total,
            point.counts.failed,
            f"{_named(start, granularity)}{_so_far(is_open)}: {in_words(point.counts)}",
            is_open,
        )
        for point, start in zip(series, starts, strict=True)
        for is_open in (point.at + granularity.length > now,)
    ]
    by_hours = granularity is Granularity.HOUR
    found = ticks.of_hours(starts) if by_hours else ticks.of_days(starts)
    return chart(steps, starts, found, (_end(starts[0], by_hours), _last(starts[-1], by_hours, is_open=steps[-1].is_open)))


@dataclass(frozen=True, slots=True)
class Spark:
    """The requests of the last days: drawn, added up, and in words."""

    drawn: Bars
    counts: Counts
    words: str


def usage_spark(series: Sequence[Point]) -> Spark:
    """The requests of each day, without an axis."""
    counts = sum((point.counts for point in series), Counts())
    drawn = sparkline([Step(point.counts.total, point.counts.failed) for point in series])
    return Spark(drawn, counts, f"{in_words(counts)} in {len(series)} days")


def in_words(counts: Counts) -> str:
    """`8,123 requests, 162 failed (1.9%)`."""
    if not counts.failed:
        return plural(counts.total, "request")
    return f"{plural(counts.total, 'request')}, {number(counts.failed)} failed ({percent(counts.failed / counts.total)})"


def _named(start: datetime, granularity: Granularity) -> str:
    return f"{start:%a %-d %b, %H:%M}" if granularity is Granularity.HOUR else f"{start:%a %-d %b %Y}"


def _so_far(is_open: bool) -> str:
    return ", so far" if is_open else ""


def _end(start: datetime, by_hours: bool) -> str:
    return f"{start:%-d %b, %H:%M}" if by_hours else f"{start:%-d %b}"


def _last(start: datetime, by_hours: bool, *, is_open: bool) -> str:
    if is_open:
        return "now" if by_hours else "today so far"
    return _end(start, by_hours)


def compared(comparison: Comparison) -> str:
    """`12% more than in the 7 days before`."""
    change, unit = round(comparison.change * 100), "hour" if comparison.granularity is Granularity.HOUR else "day"
    words = f"{abs(change):,}% {'more' if change > 0 else 'fewer'} than in" if change else "As many as in"
    left_out = "" if comparison.is_whole else f", without {'this hour' if unit == 'hour' else 'today'}"
    return f"{words} the {plural(comparison.steps, unit)} before{left_out}"
