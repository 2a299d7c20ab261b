"""A database restored under a running node: acknowledged revocations take effect again within one round."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app import database, housekeeping, replay
from app.audit import service as audit
from app.journal import file as journal
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason
from tests.conftest import Team, make_key
from tests.replay.test_replay import book, brought_back, statuses
from tests.support.access import seen

__all__ = ["book"]
pytestmark = pytest.mark.usefixtures("book")


async def taken_again(team: Team, key: str) -> int:
    entries = await audit.about(await seen(team.owner, team.slug), key)
    return [each.detail.get("from") for each in entries if each.action in ("key.revoked", "key.suspended")].count("the journal")


async def test_a_revocation_that_the_database_lost_is_replayed_once_in_the_next_round(team: Team) -> None:
    await replay.keep_up()
    found = await brought_back(team)
    assert await statuses(*found) == [True, True]
    for _ in range(3):
        await housekeeping.tidy()
        assert await statuses(*found) == [False, False]
    assert [await taken_again(team, key) for key in found] == [1, 1]
    assert await audit.first_broken(team.workspace.id) is None


async def test_a_line_that_a_round_has_already_checked_is_checked_again(team: Team) -> None:
    key = (await make_key(team)).key.id
    await keys.revoke(team.owner, key, Reason.OTHER)
    await replay.keep_up()
    await bring_back(key)
    await replay.keep_up()
    assert await statuses(key) == [False]


async def bring_back(*ids: str) -> None:
    async with database.transaction():
        for key in ids:
            await database.fetch("UPDATE api_key SET revoked_at = NULL, revocation_reason = NULL WHERE id = {}", key)
            await database.fetch("DELETE FROM audit_entry WHERE target = {} AND action = 'key.revoked'", key)


async def revoked(team: Team, count: int) -> list[str]:
    found = [(await make_key(team, f"Key {number}")).key.id for number in range(count)]
    for key in found:
        await keys.revoke(team.owner, key, Reason.OTHER)
    await replay.keep_up()
    return found


async def nothing(ids: list[str]) -> None:
    """Restores the database from before the newest of them was created."""
    async with database.transaction():
        await database.fetch("DELETE FROM api_key WHERE id = {}", ids[-1])
        await database.fetch("DELETE FROM audit_entry WHERE target = {}", ids[-1])


async def newest(ids: list[str]) -> None:
    await bring_back(ids[-1])


@pytest.mark.parametrize("lose", [newest, nothing])
async def test_a_database_without_the_newest_line_is_checked_completely(
    team: Team, monkeypatch: pytest.MonkeyPatch, lose: Callable[[list[str]], object]
) -> None:
    monkeypatch.setattr(replay, "_NEWEST", 2)
    ids = await revoked(team, 5)
    await bring_back(ids[0])
    await replay.keep_up()
    assert await statuses(ids[0]) == [True], "old lines are not asked about each time"
    await lose(ids)  # type: ignore[misc]
    await replay.keep_up()
    assert await statuses(*ids[:4]) == [False] * 4


async def test_another_server_is_checked_completely_without_delay(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_NEWEST", 1)
    ids = await revoked(team, 3)
    assert not await replay.is_elsewhere()
    await bring_back(ids[0])

    async def other() -> str:
        return "another one"

    monkeypatch.setattr(database, "server", other)
    assert await replay.is_elsewhere()
    await replay.keep_up()
    assert not await replay.is_elsewhere()
    assert await statuses(*ids) == [False] * 3


async def test_a_round_without_changes_reads_few_rows(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_NEWEST", 2)
    await revoked(team, 4)
    asked: list[int | None] = []
    unrevoked = key_store.unrevoked

    async def counted(of: dict[str, object] | None = None) -> dict[str, str]:
        asked.append(None if of is None else len(of))
        return await unrevoked(of)

    monkeypatch.setattr(key_store, "unrevoked", counted)
    await replay.keep_up()
    assert asked == [2]


async def test_a_file_that_cannot_be_read_does_not_stop_the_rounds(team: Team) -> None:
    journal.current().path.mkdir(parents=True)
    await replay.keep_up()
    assert await keys.revoke(team.owner, (await make_key(team)).key.id, Reason.OTHER)
