"""A calendar link that was withdrawn or renewed stays invalid after an older database is restored."""

from __future__ import annotations

from typing import Any

import pytest

from app import database, replay
from app.audit import service as audit
from app.calendar import service as calendar
from app.errors import NotFound
from app.journal.file import Journal
from tests.conftest import Team
from tests.replay.test_replay import book
from tests.support.access import seen

__all__ = ["book"]


def token_of(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".ics")


async def put_back(row: dict[str, Any], action: str) -> None:
    """Restores the link's row from before the last time this action was done."""
    async with database.transaction():
        await database.fetch("DELETE FROM calendar_link")
        names = ", ".join(row)
        await database.fetch(f"INSERT INTO calendar_link ({names}) VALUES ({', '.join('{}' for _ in row)})", *row.values())
        await database.fetch(
            "DELETE FROM audit_entry WHERE position = (SELECT MAX(position) FROM audit_entry WHERE action = {})", action
        )
        await database.fetch(
            "UPDATE workspace SET audit_length = audit_length - 1, audit_head = (SELECT mac FROM audit_entry WHERE position = 1)"
        )


@pytest.mark.parametrize("end", ["calendar_link.withdrawn", "calendar_link.made"])
async def test_a_link_that_was_withdrawn_or_renewed_is_withdrawn_again(book: Journal, team: Team, end: str) -> None:
    token = token_of(await calendar.renew_link(team.owner, team.slug))
    (row,) = await database.fetch("SELECT * FROM calendar_link")
    await (calendar.withdraw_link if end == "calendar_link.withdrawn" else calendar.renew_link)(team.owner, team.slug)
    await replay.keep_up()
    assert await replay.pending() == []
    await put_back(row, end)
    assert await calendar.read(token)
    assert dict(await replay.replay()) == {end: 1}
    with pytest.raises(NotFound):
        await calendar.read(token)
    newest = (await audit.page(await seen(team.owner, team.slug), limit=1))[0]
    assert (newest.action, newest.detail["from"]) == ("calendar_link.withdrawn", "the journal")
    assert await audit.first_broken(team.workspace.id) is None
    assert await replay.pending() == []


async def test_a_valid_link_stays(book: Journal, team: Team) -> None:
    await calendar.renew_link(team.owner, team.slug)
    await calendar.withdraw_link(team.owner, team.slug)
    token = token_of(await calendar.renew_link(team.owner, team.slug))
    assert await replay.pending() == []
    assert await calendar.read(token)
