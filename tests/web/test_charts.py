"""Drawings: what a chart says about its axis, its weekends, its failures, and the time that is not over."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from app import clock
from app.clock import DAY, HOUR
from app.usage.usage import Counts, Granularity, Point
from app.web.presentation import ticks
from app.web.presentation.chart import HEIGHT, STRIP, comparison
from app.web.presentation.filters import compact
from app.web.presentation.usage_chart import usage_chart, usage_spark

NOON = clock.parse_rfc3339("2026-11-29T12:30:00Z")
TODAY = NOON - NOON % DAY


def days(*counts: tuple[int, int]) -> list[Point]:
    """The days until today with these (successful, failed) requests."""
    return [Point(TODAY - (len(counts) - 1 - index) * DAY, Counts(*each)) for index, each in enumerate(counts)]


def test_failures_have_a_scale_of_their_own() -> None:
    drawn = usage_chart(days((98, 2), (990, 10), (0, 0)), Granularity.DAY, NOON).drawn
    assert (drawn.top, drawn.middle, drawn.top_rate) == (1_000, 500, 2)
    first, second, empty = drawn.bars
    assert first.rate and first.rate.height == STRIP and second.rate and second.rate.height == STRIP / 2
    assert second.rest and second.failed and second.rest.height + second.failed.height == HEIGHT
    assert (empty.rest, empty.failed, empty.rate) == (None, None, None)


def test_without_failures_there_is_no_scale_for_them() -> None:
    with_failures, without = (usage_chart(days((9, failed)), Granularity.DAY, NOON).drawn for failed in (1, 0))
    assert without.top_rate == 0 and without.total_height < with_failures.total_height
    assert usage_chart(days((0, 7)), Granularity.DAY, NOON).drawn.top_rate == 100


def test_today_is_marked_as_not_over_and_each_bar_says_its_figures() -> None:
    chart = usage_chart(days((98, 2), (4, 0)), Granularity.DAY, NOON)
    assert [bar.step.words for bar in chart.drawn.bars] == [
        "Sat 28 Nov 2026: 100 requests, 2 failed (2%)",
        "Sun 29 Nov 2026, so far: 4 requests",
    ]
    assert [bar.step.is_open for bar in chart.drawn.bars] == [False, True] and chart.last == "today so far"
    assert usage_chart(days((1, 0), (1, 0)), Granularity.DAY, TODAY + 3 * DAY).last == "29 Nov"
    hours = [Point(NOON - NOON % HOUR - index * HOUR, Counts(1)) for index in reversed(range(24))]
    by_hours = usage_chart(hours, Granularity.HOUR, NOON)
    assert by_hours.last == "now" and by_hours.drawn.bars[-1].step.words == "Sun 29 Nov, 12:00, so far: 1 request"
    assert {tick.label for tick in by_hours.ticks} <= {f"{hour:02}:00" for hour in range(0, 24, 4)} and by_hours.ticks


def test_weekends_are_bands_of_two_days() -> None:
    # 29 November 2026 is a Sunday.
    assert usage_chart(days(*[(1, 0)] * 10), Granularity.DAY, NOON).bands == ((10.0, 20.0), (80.0, 20.0))
    assert ticks.weekends([date(2025, 1, 1) + timedelta(index) for index in range(365)]) == ()


@pytest.mark.parametrize("length", [1, 2, 7, 14, 30, 90, 365, 1_000])
def test_an_axis_has_few_labels_that_do_not_meet_those_at_its_ends(length: int) -> None:
    steps = [date(2026, 11, 29) - timedelta(index) for index in reversed(range(length))]
    hours = [datetime(2026, 11, 29, 12, tzinfo=UTC) - timedelta(hours=index) for index in reversed(range(length))]
    for found in (ticks.of_days(steps), ticks.of_hours(hours)):
        assert len(found) <= 8 and all(tick.x <= 86 for tick in found)
        places = [tick.x for tick in found]
        assert all(later - earlier > 8 for earlier, later in itertools.pairwise(places)), places
        assert len([tick for tick in found if not tick.minor]) <= 4
    assert length < 3 or ticks.of_days(steps)


def test_a_sparkline_has_no_axis_and_adds_up() -> None:
    spark = usage_spark(days((3, 1), (0, 0)))
    assert spark.words == "4 requests, 1 failed (25%) in 2 days" and spark.counts.total == 4
    assert len(spark.drawn.bars) == 2 and spark.drawn.top_rate == 0


@pytest.mark.parametrize(
    ("usual", "now", "drawn"), [(2, 4, (50, 100)), (0, 0, (0.6, 0.6)), (1, 10_000, (0.6, 100)), (9, 3, (100, 33.33))]
)
def test_what_is_usual_and_what_was_found_have_one_scale(usual: float, now: float, drawn: tuple[float, float]) -> None:
    found = comparison(usual, now)
    assert (found.usual, found.now) == drawn


@pytest.mark.parametrize(
    ("value", "label"), [(0, "0"), (950, "950"), (4_000, "4k"), (1_500_000, "1.5M"), (3_000_000_000, "3B"), (2.5, "2.5")]
)
def test_labels_of_an_axis_are_short(value: float, label: str) -> None:
    assert compact(value) == label


def test_no_position_leaves_the_drawing() -> None:
    drawn = usage_chart(days(*[(index * 7 % 13, index % 3) for index in range(90)]), Granularity.DAY, NOON).drawn
    for bar in drawn.bars:
        assert bar.x >= 0 and bar.x + bar.width <= 100
        assert all(
            part is None or (part.y >= 0 and part.y + part.height <= drawn.floor + 0.01)
            for part in (bar.rest, bar.failed, bar.rate)
        )
