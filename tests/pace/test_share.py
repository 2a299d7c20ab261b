"""What is not verification has its share of the event loop, waits in line for it, and waits nowhere else."""

from __future__ import annotations

import asyncio
import time

import pytest

from app import pace
from app.pace import Share, Urgency


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def work(seconds: float = 0.003, pieces: int = 1) -> None:
    for _ in range(pieces):
        compute(seconds / pieces)
        await asyncio.sleep(0)


async def rested(share: Share, count: int, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long so many pieces of work at once were kept waiting for their turn, in seconds."""
    rests: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await real(0)

    with monkeypatch.context() as patched:
        patched.setattr(pace.asyncio, "sleep", sleep)
        await asyncio.gather(*(share.of(work) for _ in range(count)))
    return sum(rests)


async def test_all_together_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each computes 3 ms, of which all but the last are rested for nine times as long.
    assert await rested(Share(0.1), 10, monkeypatch) >= 9 * 0.003 * 9


async def test_nobody_rests_where_nothing_is_to_be_made_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await rested(Share(0.1, Urgency().lasts), 10, monkeypatch) == 0


async def test_room_is_made_from_the_first_verification_on(monkeypatch: pytest.MonkeyPatch) -> None:
    urgency = Urgency()
    urgency.note()
    monkeypatch.setattr(pace, "URGENT_SECONDS", 1_000)
    assert await rested(Share(0.1, urgency.lasts), 10, monkeypatch) > 0


async def test_waiting_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    share = Share(0.1)
    for _ in range(5):
        await share.of(lambda: asyncio.sleep(0.02))
    assert share._owed < pace.SLICE_SECONDS


async def test_long_waits_lend_the_others_no_time() -> None:
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


async def test_work_in_many_pieces_counts_whole_and_waits_only_before_it_begins() -> None:
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


async def test_what_it_answers_and_raises_comes_through_and_it_can_be_cancelled() -> None:
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


async def test_who_stops_waiting_lets_the_others_go_on() -> None:
    share = Share(0.5)
    await share.of(lambda: work(0.01))
    waiting = [asyncio.create_task(share.of(work)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
