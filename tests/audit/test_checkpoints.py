"""Signed checkpoints outside the database: nobody without the pepper writes one or voids one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import database, nouns, reconcile, runtime
from app.audit import checkpoints, store
from app.audit.checkpoints import Checkpoints
from app.clock import DAY
from app.housekeeping import housekeeping
from app.jobs.runner import attempt
from app.journal import file as journal
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from tests.conftest import Team, make_key


@pytest.fixture
def book(opened: None, tmp_path: Path) -> Iterator[Checkpoints]:
    """A file that does not exist yet."""
    with runtime.replaced(Checkpoints(tmp_path / "checkpoints.jsonl")):
        yield checkpoints.current()


def lines(book: Checkpoints) -> list[str]:
    return book.path.read_text().splitlines()


async def ends(team: Team) -> dict[int, bytes]:
    return (await reconcile.noted_ends(journal.current())).get(team.workspace.id, {})


async def test_a_checkpoint_has_the_end_of_each_chain_that_has_grown(book: Checkpoints, team: Team) -> None:
    assert await book.write() == 0 and not book.path.exists()
    await make_key(team)
    assert await book.write() == 1
    assert await book.write() == 0
    await make_key(team)
    assert await book.write() == 1
    entries = await store.oldest(team.workspace.id, limit=9)
    assert await ends(team) == {1: entries[0].mac, 2: entries[1].mac}
    assert len(lines(book)) == 2 and book.path.stat().st_mode & 0o777 == 0o600


async def test_a_line_that_was_changed_or_written_without_the_pepper_counts_for_nothing(book: Checkpoints, team: Team) -> None:
    await make_key(team)
    await book.write()
    await make_key(team)
    await book.write()
    first, second = lines(book)
    book.path.write_text(first.replace('"chains": {', '"chains":  {') + f'\n{second}\n{{"restored": true}}\n{second[:40]}\n')
    found = await book.contents()
    assert (found.valid, found.forged, found.foreign) == (1, [1, 3, 4], 0)
    assert [*await ends(team)] == [2]


async def test_a_line_under_another_pepper_is_counted_apart_and_written_again_under_this_one(book: Checkpoints, team: Team) -> None:
    await make_key(team)
    await book.write()
    old = peppers.current().current
    new = Pepper(old.version + 1, b"another pepper, as long as a pepper has to be")
    with runtime.replaced(Peppers(new)):
        found = await book.contents()
        assert (found.valid, found.forged, found.foreign, found.ends) == (0, [], 1, {})
    with runtime.replaced(Peppers(new, old)):
        assert [*(await book.contents()).ends] == [team.workspace.id]
        assert await book.write() == 1
    with runtime.replaced(Peppers(new)):
        found = await book.contents()
        assert (found.valid, [*found.ends]) == (1, [team.workspace.id])


async def test_after_a_restore_the_earlier_checkpoints_are_void(book: Checkpoints, team: Team) -> None:
    await make_key(team)
    await book.write()
    await reconcile.begin_anew(journal.current())
    assert await ends(team) == {}
    assert json.loads(lines(book)[-1])["restored"] is True
    assert await book.write() == 1


async def test_a_node_writes_a_checkpoint_when_it_stops(book: Checkpoints, team: Team) -> None:
    async with housekeeping():
        await make_key(team)
    assert max(await ends(team)) == 1


async def test_a_file_that_cannot_be_written_hinders_neither_the_job_nor_a_stop(tmp_path: Path, team: Team) -> None:
    await make_key(team)
    (tmp_path / "file").touch()
    with runtime.replaced(Checkpoints(tmp_path / "file" / "checkpoints.jsonl")):
        await checkpoints.write(await database.now())
        await checkpoints.write_at_stop()


async def test_the_job_writes_one_checkpoint_a_day_whichever_node_has_the_lease(book: Checkpoints, team: Team) -> None:
    (job,) = [job for job in nouns.JOBS if job.name == "audit.checkpoint"]
    assert job.wanted is not None
    now = await database.now()
    database.freeze(now)
    await make_key(team)
    assert await attempt(job)
    assert not await job.wanted(now + DAY - 1)
    other = Checkpoints(book.path)
    assert not await other.is_due(now + DAY - 1)
    assert await other.is_due(now + DAY) and await job.wanted(now + DAY)
    database.freeze(now + DAY)
    await make_key(team)
    assert await other.write() == 1
    assert not await attempt(job)
    assert len(lines(book)) == 2


async def test_a_database_without_entries_is_not_looked_at_again_before_the_next_day(book: Checkpoints, db: None) -> None:
    now = await database.now()
    assert await book.is_due(now)
    await book.write()
    assert not await book.is_due(await database.now()) and not book.path.exists()
    assert await book.is_due(now + 2 * DAY) and await book.is_due(now - DAY)
