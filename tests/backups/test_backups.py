"""Backup and restore: an acknowledged revocation stays in effect even if an older copy of the database is restored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from app import backups, clock, database, nouns, replay
from app.access.actor import Actor, Role
from app.audit import service as audit
from app.database import copying
from app.errors import Conflict, StartRefused
from app.gateway_tokens import service as gateway_tokens
from app.gateway_tokens import store as gateway_store
from app.journal import file as journal
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason
from app.management_keys import service as management_keys
from app.management_keys import store as management_store
from app.management_keys.management_key import ManagementKeyInput
from app.members import service as members
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.usage import service as usage
from app.usage.usage import Granularity
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen

OPERATOR = Actor.operator()


async def restore(settings: Settings, file: Path, *, with_journal: bool = True) -> dict[str, int]:
    return dict((await backups.restore(settings, file, replace=True, with_journal=with_journal)).again)


async def rows() -> dict[str, int]:
    return {
        table: int((await database.fetch(f'SELECT count(*) AS n FROM "{table}"'))[0]["n"])
        for table in copying.tables()
        if table not in nouns.UNSAVED
    }


async def test_everything_revoked_after_the_backup_is_revoked_again(
    settings: Settings, team: Team, other_team: Team, tmp_path: Path
) -> None:
    revoked, suspended, resumed, living = [(await make_key(team, name)).key.id for name in ("A", "B", "C", "D")]
    token = (await gateway_tokens.create(OPERATOR, "edge")).token.id
    asked = ManagementKeyInput("CI", ["keys.read"], await database.now() + 30 * clock.DAY)
    managed = (await management_keys.create(team.owner, team.slug, asked))[0].id
    await keys.suspend(team.owner, resumed)
    await backups.save(tmp_path / "copy")

    first = await keys.revoke(team.owner, revoked, Reason.EXPOSED_IN_LOGS)
    await keys.suspend(team.owner, suspended)
    await keys.resume(team.owner, resumed)
    await keys.suspend(team.owner, living)
    await keys.resume(team.owner, living)
    await gateway_tokens.revoke(OPERATOR, token)
    await management_keys.revoke(team.owner, managed)
    await members.remove(team.owner, team.slug, team.viewer.id)
    await members.change_role(team.owner, team.slug, team.editor.id, Role.VIEWER)
    await workspaces.suspend(OPERATOR, other_team.slug)

    done = await restore(settings, tmp_path / "copy")
    assert done == {
        "key.revoked": 1,
        "key.suspended": 1,
        "gateway_token.revoked": 1,
        "management_key.revoked": 1,
        "member.removed": 1,
        "member.role_changed": 1,
        "workspace.suspended": 1,
    }
    place = team.workspace.id
    found = {key.name: key for key in await key_store.find_many(place, [revoked, suspended, resumed, living])}
    assert first.revocation is not None
    again = found["A"].revocation
    assert again is not None
    assert (again.at, again.reason, str(again.by.kind)) == (first.revocation.at, Reason.EXPOSED_IN_LOGS, "SYSTEM")
    assert [found[name].suspended_at is None for name in "BCD"] == [False, False, True]
    assert [each.revoked_at is None for each in await gateway_store.tokens()] == [False]
    managed_key = await management_store.find(place, managed)
    assert managed_key is not None and managed_key.revoked_at is not None
    assert {member.user.id: member.role for member in await workspace_store.members(place)} == {
        team.owner.id: Role.OWNER,
        team.editor.id: Role.VIEWER,
    }
    suspended_place = await workspace_store.find(other_team.workspace.id)
    assert suspended_place is not None and suspended_place.suspended_at is not None
    entry = (await audit.about(await seen(team.owner, team.slug), revoked))[0]
    assert (entry.action, entry.detail["from"]) == ("key.revoked", "the journal")
    assert await audit.first_broken(place) is None
    assert await replay.pending() == []


async def test_access_given_back_afterwards_stays_given_back(settings: Settings, team: Team) -> None:
    key = (await make_key(team)).key.id
    await keys.suspend(team.owner, key)
    await keys.resume(team.owner, key)
    lines = [line for line in journal.current().path.read_text().splitlines() if key in line]
    assert ["suspended" in line for line in lines] == [True, False]
    # Another node resumed it, and this node's file lacks the line: the database's own audit log has the newer state.
    path = journal.current().path
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "resumed" not in line) + "\n")
    assert await replay.pending() == []


async def test_a_restore_without_the_journal_keeps_the_old_state_and_later_starts_do_too(
    settings: Settings, team: Team, tmp_path: Path
) -> None:
    made = await make_key(team)
    await backups.save(tmp_path / "copy")
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    assert await restore(settings, tmp_path / "copy", with_journal=False) == {}
    assert await replay.pending() == []
    assert (await key_store.by_id([made.key.id]))[made.key.id].revocation is None


async def test_a_backup_contains_every_row_and_is_restored_unchanged(settings: Settings, team: Team, tmp_path: Path) -> None:
    await make_key(team, "naïve “quotes” \U0001f5dd")
    before = await rows()
    assert await backups.save(tmp_path / "copy") == before
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    await make_key(team, "Later")
    await restore(settings, tmp_path / "copy")
    assert await rows() == before
    assert await audit.first_broken(team.workspace.id) is None
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


async def test_a_database_with_a_gateway_token_alone_is_not_empty(db: None) -> None:
    assert await copying.is_empty()
    await gateway_tokens.create(Actor.operator(), "edge")
    assert not await copying.is_empty()


async def test_every_table_of_the_database_is_in_a_backup(db: None) -> None:
    found = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if database.is_sqlite()
        else "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    # Triggers derive the daily counters from the hourly ones, also during a restore.
    derived = {"usage_day"}
    assert {row["name"] for row in await database.fetch(found)} - {"migration"} - derived == set(copying.tables())


async def test_a_restore_that_is_refused_changes_nothing(settings: Settings, team: Team, tmp_path: Path) -> None:
    await make_key(team)
    copy = tmp_path / "copy"
    await backups.save(copy)
    with pytest.raises(FileExistsError):
        await backups.save(copy)
    with pytest.raises(Conflict):
        await backups.restore(settings, copy, replace=False, with_journal=True)
    before = await rows()
    half = tmp_path / "half"
    half.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    noise = tmp_path / "noise"
    noise.write_bytes(b"no backup")
    for wrong in (half, noise, tmp_path / "absent"):
        with pytest.raises(StartRefused):
            await restore(settings, wrong)
    with sqlite3.connect(copy) as backup:
        backup.execute("UPDATE pepper SET fingerprint = x'00'")
    with pytest.raises(StartRefused, match="pepper"):
        await restore(settings, copy)
    assert await rows() == before


async def test_a_restore_counts_every_request_exactly_once(settings: Settings, team: Team, tmp_path: Path) -> None:
    key, now = (await make_key(team)).key.id, await database.now()
    insert = "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, 'pdf.read', 'VALID', {})"
    async with database.transaction():
        for hour in range(50):
            await database.fetch(insert, key, now - now % clock.HOUR - hour * clock.HOUR, 3)
    before = await usage.of_workspace(await seen(team.owner, team.slug))
    by_hours = await usage.of_workspace(await seen(team.owner, team.slug), now - 10 * clock.DAY, now, Granularity.HOUR)
    await backups.save(tmp_path / "copy")
    async with database.transaction():
        await database.fetch(insert, key, now - now % clock.HOUR - 60 * clock.HOUR, 1_000)
    for _ in range(2):
        await restore(settings, tmp_path / "copy")
        assert await usage.of_workspace(await seen(team.owner, team.slug)) == before
        assert await usage.of_workspace(await seen(team.owner, team.slug), now - 10 * clock.DAY, now, Granularity.HOUR) == by_hours
    assert before.counts.total == by_hours.counts.total == 150
