"""Hours folded into days, and days added up over the keys of a workspace: no count changes, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from app import database
from app.clock import DAY, HOUR
from app.errors import Unavailable, ValidationFailed
from app.jobs import runner as jobs
from app.usage import fold_store, folding, service
from app.usage import log as usage_log
from app.usage.counters import Use
from app.usage.noun import NOUN
from app.usage.ranges import first_hour_kept, first_open_day
from app.usage.usage import Granularity, Usage
from tests.conftest import Team
from tests.support.access import at, seen
from tests.usage.history import NOW, TODAY, closed, oldest_hours, reads


async def test_no_total_of_any_range_changes_when_hours_are_folded_and_days_closed(used: tuple[Team, list[str]]) -> None:
    before = await reads(*used)
    rows = len(await database.fetch("SELECT key FROM usage_hour"))
    assert await folding.any_hours(NOW) and await folding.any_days(NOW)
    assert await folding.fold_hours(NOW) > 50
    assert all(hour % DAY == 0 for hour in await oldest_hours())
    assert len(await database.fetch("SELECT key FROM usage_hour")) < rows
    assert await reads(*used) == before
    assert await folding.close_days(NOW) > 100
    assert await closed() == {"hours": first_hour_kept(NOW) - DAY, used[0].workspace.id: first_open_day(NOW)}
    assert await reads(*used) == before
    assert not await folding.any_hours(NOW) and not await folding.any_days(NOW)
    assert await folding.fold_hours(NOW) == 0 and await folding.close_days(NOW) == 0
    assert await reads(*used) == before


async def test_a_day_later_only_that_day_is_folded_and_closed(used: tuple[Team, list[str]]) -> None:
    await folding.fold_hours(NOW)
    await folding.close_days(NOW)
    database.freeze(NOW + DAY)
    before = [usage async for usage in years(used[0])]
    assert await folding.any_hours(NOW + DAY) and await folding.any_days(NOW + DAY)
    assert await folding.close_days(NOW + DAY) == 1
    assert await folding.fold_hours(NOW + DAY) <= 3
    assert [usage async for usage in years(used[0])] == before


async def years(team: Team) -> Any:
    access = await seen(team.viewer, team.slug)
    yield await service.of_workspace(access, TODAY - 160 * DAY, TODAY)
    yield await service.of_workspace(access, TODAY - 60 * DAY, TODAY)


async def test_closed_days_are_read_instead_of_the_days_of_the_keys(used: tuple[Team, list[str]]) -> None:
    await folding.close_days(NOW)
    async with database.transaction():
        await database.fetch("UPDATE workspace_day SET requests = requests + 1000 WHERE day = {}", TODAY - 100 * DAY)
    access = await seen(used[0].viewer, used[0].slug)
    assert (await service.of_workspace(access, TODAY - 100 * DAY, TODAY - 99 * DAY)).counts.total >= 1_000


async def test_what_is_counted_late_for_a_closed_day_is_in_every_range(used: tuple[Team, list[str]]) -> None:
    team, keys = used
    await folding.fold_hours(NOW)
    await folding.close_days(NOW)
    access = await seen(team.viewer, team.slug)
    span = (TODAY - 110 * DAY, TODAY - 100 * DAY)
    before = (await service.of_workspace(access, *span)).counts
    for hour, times in ((0, 2), (5, 3)):
        await usage_log.current().append([
            Use(keys[0], TODAY - 105 * DAY + hour * HOUR, "pdf.read", outcome, "", "", times, None, None, None)
            for outcome in ("VALID", "FAILED")
        ])  # fmt: skip
        await usage_log.current().settle()
    after = (await service.of_workspace(access, *span)).counts
    assert (after.successful - before.successful, after.failed - before.failed) == (5, 5)
    async with database.transaction():
        await database.fetch("DELETE FROM usage_hour WHERE key = {} AND hour = {}", keys[0], TODAY - 105 * DAY + 5 * HOUR)
    assert (await service.of_workspace(access, *span)).counts.total == after.total - 6
    everything = [await service.of_workspace(access, TODAY - days * DAY, TODAY) for days in (160, 60)]
    await folding.fold_hours(NOW + DAY)
    async with database.transaction():
        await database.fetch("DELETE FROM usage_closed")
        await database.fetch("DELETE FROM workspace_day")
    assert [await service.of_workspace(access, TODAY - days * DAY, TODAY) for days in (160, 60)] == everything


async def test_days_that_were_closed_while_the_clock_was_ahead_are_opened_again(used: tuple[Team, list[str]]) -> None:
    before = await reads(*used)
    await folding.close_days(NOW + 30 * DAY)
    assert (await closed())[used[0].workspace.id] == first_open_day(NOW + 30 * DAY)
    assert await reads(*used) == before
    assert await folding.any_days(NOW)
    await folding.close_days(NOW)
    assert await closed() == {used[0].workspace.id: first_open_day(NOW)}
    assert not await database.fetch("SELECT day FROM workspace_day WHERE day >= {}", first_open_day(NOW))
    assert await reads(*used) == before and not await folding.any_days(NOW)


async def test_counting_and_folding_at_the_same_time_lose_nothing(used: tuple[Team, list[str]]) -> None:
    team, keys = used
    access = await seen(team.viewer, team.slug)
    span = (TODAY - 160 * DAY, NOW)
    before = (await service.of_workspace(access, *span)).counts.total
    done = asyncio.Event()

    async def count() -> int:
        sent, chance = 0, random.Random(3)
        while not done.is_set():
            ages = [chance.choice((0, 36, 100, 140)) for _ in range(5)]
            uses = [
                Use(chance.choice(keys), TODAY - age * DAY + chance.randrange(24) * HOUR, "", "VALID", "", "", 1, None, None, None)
                for age in ages
            ]
            await patiently(usage_log.current().append(uses))
            sent += len(uses)
            await asyncio.sleep(0.01)
        return sent

    async def fold() -> None:
        await asyncio.gather(patiently(folding.fold_hours(NOW)), patiently(folding.close_days(NOW)))
        done.set()

    sent, _ = await asyncio.gather(count(), fold())
    assert sent > 0
    together = (await service.of_workspace(access, *span)).counts.total
    each = [(await service.of_key(access, (await at(team.viewer, key_id))[1], *span)).counts.total for key_id in keys]
    assert together == sum(each) == before + sent


async def patiently(work: Any) -> None:
    """A busy machine may keep a lock for a moment."""
    try:
        await work
    except Unavailable as failure:
        pytest.fail(f"not folded: {failure.internal}")


def dying_after(statements: int) -> Any:
    """Reads and writes so many times, and is then ended."""
    left, fetch = statements, database.fetch

    async def dying(template: str, *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise asyncio.CancelledError
        return await fetch(template, *arguments)

    return dying


@pytest.mark.parametrize("statements", [1, 4, 7, 30])
async def test_a_job_that_is_killed_is_continued_by_the_next(
    used: tuple[Team, list[str]], monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    """Killed between any two statements, also in the middle of a transaction."""
    before = await reads(*used)
    for work in (folding.fold_hours, folding.close_days):
        with monkeypatch.context() as patched:
            patched.setattr(database, "fetch", dying_after(statements))
            with pytest.raises(asyncio.CancelledError):
                await work(NOW)
        assert await reads(*used) == before
        await work(NOW)
        assert await reads(*used) == before
    assert all(hour % DAY == 0 for hour in await oldest_hours())


async def test_the_jobs_run_under_their_leases_when_there_is_work(used: tuple[Team, list[str]]) -> None:
    mine = [job for job in NOUN.jobs if job.name.startswith("usage.")]
    assert [await jobs.attempt(job) for job in mine] == [True, True]
    assert [await jobs.attempt(job) for job in mine] == [False, False]
    assert await fold_store.watermark("hours") == first_hour_kept(NOW) - DAY


async def test_hours_can_be_read_until_they_are_folded_and_are_refused_afterwards(used: tuple[Team, list[str]]) -> None:
    access = await seen(used[0].viewer, used[0].slug)
    first = first_hour_kept(NOW)
    usage: Usage = await service.of_workspace(access, first, first + DAY, Granularity.HOUR)
    assert len(usage.series) == 24
    with pytest.raises(ValidationFailed, match="kept for 90 days") as refusal:
        await service.of_workspace(access, first - 1, first + DAY, Granularity.HOUR)
    assert [fault.field for fault in refusal.value.fields] == ["since"]
