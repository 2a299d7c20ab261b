"""A clock that goes back is reported in the log and in the metrics; smaller steps and passing time are not."""

from __future__ import annotations

import asyncio
import logging

import pytest

from app import database, housekeeping, metrics
from app.clock import HOUR, SECOND

NOW = 1_800_000_000 * SECOND


@pytest.mark.parametrize(("step", "told"), [(-HOUR, 1), (-30 * SECOND, 0), (HOUR, 0)])
async def test_a_clock_set_back_by_more_than_a_minute_is_reported_once(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: int, told: int
) -> None:
    looked = asyncio.Event()
    asked: list[int] = []

    async def now() -> int:
        asked.append(NOW if len(asked) < 2 else NOW + step)
        if len(asked) == 6:
            looked.set()
        return asked[-1]

    monkeypatch.setattr(database, "now", now)
    monkeypatch.setattr(housekeeping, "CLOCK_SECONDS", 0.001)
    before = metrics.CLOCK_SET_BACK._value.get()
    with caplog.at_level(logging.ERROR, logger="keydesk.housekeeping"):
        task = asyncio.create_task(housekeeping.watch_clock())
        await looked.wait()
        task.cancel()
        await asyncio.wait([task])
    assert metrics.CLOCK_SET_BACK._value.get() - before == told
    assert len([1 for record in caplog.records if "went back by" in record.getMessage()]) == told
