"""Long work goes on in slices with rests between them, and in shorter ones while keys are being verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app import pace
from app.pace import SHORT_SECONDS, SLICE_SECONDS, Pace, unhurried


class Clock:
    """Stands still but for what is computed and slept."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        # When each began and ended.
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
    """How long each slice of much work was."""
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
    # Most of the time is left to the verifications.
    assert longest == pytest.approx(3 * SHORT_SECONDS)


async def test_rows_are_read_with_rests_between_slices(clock: Clock) -> None:
    read = []
    async for row in unhurried(range(1_000)):
        read.append(row)
        clock.now += 0.00001
    assert read == list(range(1_000))
    assert len(clock.rests) == 9


async def test_a_few_rows_are_read_without_any_rest(clock: Clock) -> None:
    assert [row async for row in unhurried(range(100))] == list(range(100))
    assert clock.rests == []


async def test_others_go_on_in_a_rest() -> None:
    seen: list[str] = []

    async def other() -> None:
        seen.append("other")

    waiting = asyncio.ensure_future(other())
    async for row in unhurried([1, 2]):
        seen.append(str(row))
        time.sleep(2 * SHORT_SECONDS)  # it stands for computing
    assert seen == ["1", "other", "2"]
    await waiting
