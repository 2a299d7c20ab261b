"""The last line about an object in the file counts, whatever the clocks showed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import database, reconcile, replay
from app.clock import DAY
from app.journal import file as journal
from app.journal.lines import AccessChange, missing
from app.keys import service as keys
from tests.conftest import Team, make_key
from tests.replay.test_replay import book, statuses

__all__ = ["book"]


@pytest.fixture
def ahead(db: None) -> Iterator[None]:
    yield
    database.freeze(None)


@pytest.mark.usefixtures("ahead")
async def test_a_resumption_of_a_clock_ahead_does_not_beat_the_suspension_after_it(book: journal.Journal, team: Team) -> None:
    key, now = (await make_key(team)).key.id, await database.now()
    await keys.suspend(team.owner, key)
    database.freeze(now + 400 * DAY)
    await keys.resume(team.owner, key)
    database.freeze(now + DAY)
    await keys.suspend(team.owner, key)
    # A database from before the last suspension: it has the resumption, which is dated a year ahead.
    async with database.transaction():
        await database.fetch("UPDATE api_key SET suspended_at = NULL")
        await database.fetch("DELETE FROM audit_entry WHERE action = 'key.suspended' AND at = {}", now + DAY)
    assert dict(await replay.replay()) == {"key.suspended": 1}
    assert await statuses(key) == [False]
    assert await replay.pending() == []


@pytest.mark.usefixtures("ahead")
async def test_a_completed_file_keeps_the_order_of_changes(book: journal.Journal, team: Team) -> None:
    key, now = (await make_key(team)).key.id, await database.now()
    await keys.suspend(team.owner, key)
    database.freeze(now + 400 * DAY)
    await keys.resume(team.owner, key)
    database.freeze(now + DAY)
    await keys.suspend(team.owner, key)
    whole = list(journal.read_all(book.path).access_changes)
    assert [taken.kind for taken in whole] == ["key.suspended", "key.resumed", "key.suspended"]
    for kept in ([], [0], [1], [2], [0, 2], [1, 2]):
        lines = book.path.read_text().splitlines(keepends=True)[:3]
        other = book.path.with_name("other")
        other.write_text("".join(lines[number] for number in kept))
        other.rename(book.path)
        await reconcile.catch_up(book)
        assert list(journal.read_all(book.path).access_changes) == whole
        book.path.write_text("".join(lines))
        await reconcile.catch_up(book)


def test_lines_after_a_missing_line_are_written_again() -> None:
    first, second, other = (
        AccessChange(*each, "wsp_1", 1) for each in (("key.suspended", "a"), ("key.resumed", "a"), ("key.suspended", "b"))
    )
    there = [first, second, other]
    assert missing(there, there) == []
    assert missing(there, [second, other]) == [first, second]
    assert missing(there, [first, other]) == [second]
