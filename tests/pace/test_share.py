"""Requests other than verification get a share of the event loop, and wait for it in a queue."""

from __future__ import annotations

import asyncio
import time

import pytest

from app import pace
from app.pace import FairQueue, RecentActivity, Share


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def work(seconds: float = 0.003, pieces: int = 1) -> None:
    for _ in range(pieces):
        compute(seconds / pieces)
        await asyncio.sleep(0)


async def rested(share: Share, count: int, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long so many concurrent pieces of work waited for their turn, in seconds."""
    rests: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await real(0)

    with monkeypatch.context() as patched:
        patched.setattr(pace.asyncio, "sleep", sleep)
        await asyncio.gather(*(share.of(work) for _ in range(count)))
    return sum(rests)


async def test_together_they_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each computes for 3 ms; after each but the last there is a pause nine times as long.
    assert await rested(Share(0.1), 10, monkeypatch) >= 9 * 0.003 * 9


async def test_without_verifications_there_are_no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await rested(Share(0.1, RecentActivity().lasts), 10, monkeypatch) == 0


async def test_pauses_begin_with_the_first_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    urgency = RecentActivity()
    urgency.note()
    monkeypatch.setattr(pace, "URGENT_SECONDS", 1_000)
    assert await rested(Share(0.1, urgency.lasts), 10, monkeypatch) > 0


async def test_waiting_does_not_count_as_work(monkeypatch: pytest.MonkeyPatch) -> None:
    share = Share(0.1)
    for _ in range(5):
        await share.of(lambda: asyncio.sleep(0.02))
    assert share._owed < pace.SLICE_SECONDS


async def test_long_waits_give_others_no_extra_time() -> None:
    share, over = Share(0.1), asyncio.Event()
    share._usual = 0.05
    patient = [asyncio.create_task(share.of(over.wait)) for _ in range(3)]
    async with asyncio.timeout(20):
        while share._line.locked() or share._owed == 0:
            await asyncio.sleep(0.001)
    over.set()
    await asyncio.gather(*patient)
    assert share._owed >= 0
    await share.of(lambda: work(0.01))
    assert share._owed >= 0.01


async def test_work_in_many_pieces_counts_in_total_and_waits_only_before_it_begins() -> None:
    share = Share(0.1)
    await share.of(lambda: work(0.05, pieces=10))
    assert share._owed >= 0.05
    begun = asyncio.Event()

    async def next_one() -> None:
        begun.set()

    waiting = asyncio.create_task(share.of(next_one))
    await asyncio.sleep(0)
    assert not begun.is_set()
    await waiting
    assert begun.is_set()


async def test_time_beyond_the_usual_is_charged_while_it_is_computed() -> None:
    """Otherwise many expensive ones would begin before the first of them has ended."""
    share, over = Share(0.1), asyncio.Event()

    async def dear() -> None:
        compute(0.02)
        await over.wait()

    begun = asyncio.create_task(share.of(dear))
    await asyncio.sleep(0)
    owed = share._owed
    assert owed >= 0.02
    over.set()
    await begun
    # It is not charged again at its end.
    assert share._owed < owed + 0.01


async def test_results_and_exceptions_are_passed_on_and_it_can_be_cancelled() -> None:
    share = Share(0.5)
    seen: list[str] = []

    async def patient() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return ""

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    assert await share.of(answer) == 42
    with pytest.raises(LookupError):
        await share.of(fail)
    task = asyncio.create_task(share.of(patient))
    async with asyncio.timeout(20):
        while "timeout" not in seen:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen == ["timeout", "cancelled"]


async def test_a_cancelled_wait_does_not_block_the_others() -> None:
    share = Share(0.5)
    await share.of(lambda: work(0.01))
    waiting = [asyncio.create_task(share.of(work)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()


async def test_a_request_waits_behind_one_of_each_other_asker_and_not_behind_all_of_one() -> None:
    share, done = Share(0.5), []

    async def noted(asker: str) -> None:
        done.append(asker)
        compute(0.003)

    async def of(asker: str) -> None:
        await share.of(lambda: noted(asker), lambda: asker)

    await of("first")
    tasks = [asyncio.create_task(of("flood")) for _ in range(20)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(of(other)) for other in ("a", "b", "a")]
    await asyncio.gather(*tasks)
    assert len(done) == 24
    assert done.index("a") <= 4 and done.index("b") <= 5 and 24 - done[::-1].index("a") <= 9


async def test_askers_that_give_up_are_passed_over_and_hold_up_nobody() -> None:
    line, order = FairQueue(), []

    async def of(asker: int) -> None:
        async with line.slot(asker % 3):
            order.append(asker)
            await asyncio.sleep(0)

    async with line.slot("first"):
        tasks = [asyncio.create_task(of(number)) for number in range(12)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    # One that was given its turn at this moment and is cancelled passes it on.
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(order) == [3, 5, 7, 9, 11] and not line.locked()
    async with line.slot("last"):
        assert line.locked()
