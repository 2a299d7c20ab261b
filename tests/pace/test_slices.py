"""Long work runs in slices with pauses between them, and in shorter slices while keys are being verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app import pace
from app.pace import SHORT_SECONDS, SLICE_SECONDS, Pace, in_slices
from app.web.framework.rendering import joined


class Clock:
    """A clock that advances only by computing and sleeping."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        # When each slice began and ended.
        self.rests: list[tuple[float, float]] = []
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(pace.asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.rests.append((self.now, self.now + seconds))
        self.now += seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield Clock(patch)


async def slices(clock: Clock, worker: Pace) -> list[float]:
    """The duration of each slice of a long work."""
    clock.rests.clear()
    for _ in range(1_000):
        await worker.turn()
        clock.now += 0.0001
    return [begun - ended for (_, ended), (begun, _) in pairwise(clock.rests)]


async def test_slices_are_short_while_keys_are_being_verified(clock: Clock) -> None:
    usual = max(await slices(clock, Pace()))
    urgent = max(await slices(clock, Pace(lambda: True)))
    longest = max(ended - begun for begun, ended in clock.rests)
    assert usual == pytest.approx(SLICE_SECONDS, abs=0.0002)
    assert urgent == pytest.approx(SHORT_SECONDS, abs=0.0002)
    # Verifications get most of the time.
    assert longest == pytest.approx(3 * SHORT_SECONDS)


async def test_after_a_long_time_without_work_the_first_slice_begins_immediately(clock: Clock) -> None:
    worker = Pace(lambda: True)
    await worker.turn()
    clock.now += SHORT_SECONDS + pace.LONG_REST_SECONDS
    await worker.turn()
    assert clock.rests == []
    clock.now += SHORT_SECONDS
    await worker.turn()
    assert len(clock.rests) == 1


async def test_a_page_is_rendered_in_slices(clock: Clock) -> None:
    def pieces() -> Iterator[str]:
        for number in range(1_000):
            clock.now += 0.00001
            yield f"{number},"

    assert await joined(pieces(), Pace(lambda: True)) == "".join(f"{number}," for number in range(1_000))
    assert len(clock.rests) == pytest.approx(0.01 / SHORT_SECONDS, abs=4)


async def test_rows_are_read_with_pauses_between_slices(clock: Clock) -> None:
    read = []
    async for row in in_slices(range(1_000)):
        read.append(row)
        clock.now += 0.00001
    assert read == list(range(1_000))
    assert len(clock.rests) == 9


async def test_a_few_rows_are_read_without_pauses(clock: Clock) -> None:
    assert [row async for row in in_slices(range(100))] == list(range(100))
    assert clock.rests == []


async def test_other_tasks_run_during_a_pause() -> None:
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    waiting = asyncio.ensure_future(other())
    async for row in in_slices([1, 2]):
        seen.append(str(row))
        time.sleep(2 * SHORT_SECONDS)  # simulates computing
    assert seen == ["1", "other", "2"]
    await waiting
