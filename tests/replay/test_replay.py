"""Replaying the revocation journal into an older database, and repairing the file itself."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from app import database, reconcile, replay, runtime
from app.access.actor import Actor
from app.audit import service as audit
from app.doctor.database_checks import of_database
from app.doctor.finding import Finding, Level
from app.gateway_tokens import service as gateway_tokens
from app.journal import file as journal
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason
from app.members import service as members
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.access import seen

OPERATOR = Actor.operator()


@pytest.fixture
def book(db: None, tmp_path: Path) -> journal.Journal:
    """A journal for this test alone."""
    own = journal.Journal(tmp_path / "own" / "revocations.jsonl")
    runtime.put(own)
    return own


async def brought_back(team: Team) -> tuple[str, str]:
    """A revoked and a suspended key, in a database without both changes."""
    revoked, suspended = [(await make_key(team, name)).key.id for name in ("A", "B")]
    await keys.revoke(team.owner, revoked, Reason.EXPOSED_IN_LOGS)
    await keys.suspend(team.owner, suspended)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET revoked_at = NULL, revocation_reason = NULL, suspended_at = NULL")
        await database.fetch("DELETE FROM audit_entry WHERE action IN ('key.revoked', 'key.suspended')")
        await database.fetch("UPDATE workspace SET audit_length = 2, audit_head = (SELECT mac FROM audit_entry WHERE position = 2)")
    return revoked, suspended


async def statuses(*ids: str) -> list[bool]:
    found = await key_store.by_id([*ids])
    return [found[key].revocation is None and found[key].suspended_at is None for key in ids]


async def of_the_journal(settings: Settings) -> list[Finding]:
    found = await of_database(OPERATOR, settings)
    return [finding for finding in found if finding.what == "journal" and finding.level is Level.FAIL]


async def test_keys_that_a_database_brings_back_are_named_by_doctor_and_revoked_once_by_a_start(
    settings: Settings, book: journal.Journal, team: Team
) -> None:
    found = await brought_back(team)
    assert await statuses(*found) == [True, True]
    (finding,) = await of_the_journal(settings)
    assert "to be 1 API keys revoked, 1 API keys suspended" in finding.text
    assert dict(await replay.replay()) == {"key.revoked": 1, "key.suspended": 1}
    assert await statuses(*found) == [False, False]
    assert await replay.pending() == []
    assert dict(await replay.replay()) == {}
    entries = await audit.about(await seen(team.owner, team.slug), found[0])
    assert next((each.action, each.detail.get("from")) for each in entries) == ("key.revoked", "the journal")
    assert [each.action for each in entries].count("key.revoked") == 1
    assert await audit.first_broken(team.workspace.id) is None
    assert await of_the_journal(settings) == []


async def test_a_resumed_key_is_not_suspended_again_and_a_member_who_rejoined_stays(book: journal.Journal, team: Team) -> None:
    key = (await make_key(team)).key.id
    await keys.suspend(team.owner, key)
    await keys.resume(team.owner, key)
    whole = book.path.read_text()
    assert await replay.pending() == []
    # As in the file of a node that missed the resumption: the database's own audit log has it.
    book.path.write_text("".join(line for line in whole.splitlines(keepends=True) if "resumed" not in line))
    assert await replay.pending() == []
    # As in a database without both: the later line wins.
    book.path.write_text(whole)
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE action IN ('key.resumed', 'key.suspended')")
    assert await replay.pending() == []


async def test_every_revocation_is_in_the_file_when_it_is_answered(book: journal.Journal, team: Team) -> None:
    token = (await gateway_tokens.create(OPERATOR, "edge")).token.id
    await gateway_tokens.revoke(OPERATOR, token)
    await members.remove(team.owner, team.slug, team.viewer.id)
    assert [(each.kind, each.id) for each in journal.read_all(book.path).access_changes] == [
        ("gateway_token.revoked", token),
        ("member.removed", team.viewer.id),
    ]


async def test_a_file_of_an_older_version_without_kinds_is_supported(book: journal.Journal, team: Team) -> None:
    key = (await make_key(team)).key.id
    book.path.parent.mkdir(parents=True)
    book.path.write_text(
        f'{{"key": "{key}", "revokedAt": "2026-11-24T06:31:47.566345Z", "reason": "NO_SUCH"}}\n{{"kind": "new"}}\n'
    )
    assert dict(await replay.replay()) == {"key.revoked": 1}
    (found,) = (await key_store.by_id([key])).values()
    assert found.revocation is not None and found.revocation.reason is Reason.OTHER


async def test_after_without_journal_earlier_lines_are_not_replayed(book: journal.Journal, team: Team) -> None:
    found = await brought_back(team)
    await book.forget()
    assert dict(await replay.replay()) == {}
    assert await statuses(*found) == [True, True]
    await keys.revoke(team.owner, found[0], Reason.OTHER)
    assert set(journal.read(book.path)) == {found[0]}


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_text(path.read_text().splitlines(keepends=True)[0])


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    other.rename(path)


def change(path: Path) -> None:
    path.write_text("x" * 10_000 + "\n")


@pytest.mark.parametrize("happen", [remove, cut, replace, change])
async def test_a_truncated_replaced_or_removed_journal_is_noticed_and_completed_in_the_next_round(
    book: journal.Journal, team: Team, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, happen: object
) -> None:
    revoked = [(await make_key(team, name)).key.id for name in ("A", "B")]
    for key in revoked:
        await keys.revoke(team.owner, key, Reason.OTHER)
    await keys.suspend(team.owner, (await make_key(team, "C")).key.id)
    later = await database.now() + 3_600_000_000
    monkeypatch.setattr(database, "_frozen", later)
    await keys.revoke(team.owner, (await make_key(team, "D")).key.id, Reason.OTHER)
    assert await reconcile.catch_up(book) == 0
    whole = journal.read_all(book.path)
    happen(book.path)  # type: ignore[operator]
    with caplog.at_level(logging.ERROR, "keydesk.journal"):
        with monkeypatch.context() as unwritable:
            unwritable.setattr(os, "write", no_room)
            await reconcile.catch_up(book)
            assert book.failing is not None
        await reconcile.catch_up(book)
    assert book.failing is None
    assert "cut, replaced or removed" in caplog.text
    found = journal.read_all(book.path)
    assert (found.keys.keys(), found.access_changes.keys()) == (whole.keys.keys(), whole.access_changes.keys())
    assert await reconcile.catch_up(book) == 0


def no_room(descriptor: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_short_write_counts_as_a_failure_and_is_completed_afterwards(
    book: journal.Journal, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await make_key(team)).key.id
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:74]))
        revoked = await keys.revoke(team.owner, key, Reason.OTHER)
    assert revoked.revocation is not None
    assert book.failing is not None
    assert journal.read(book.path) == {}
    assert await reconcile.catch_up(book) == 1
    assert book.failing is None
    assert set(journal.read(book.path)) == {key}


async def test_a_round_reads_only_what_is_new(book: journal.Journal, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A", "B", "C"):
        await keys.revoke(team.owner, (await make_key(team, name)).key.id, Reason.OTHER)
    await reconcile.catch_up(book)
    lines: list[bytes] = []
    whole = journal.Contents.read
    monkeypatch.setattr(journal.Contents, "read", lambda self, line: (lines.append(line), whole(self, line))[1])
    await keys.revoke(team.owner, (await make_key(team, "D")).key.id, Reason.OTHER)
    await reconcile.catch_up(book)
    assert len(lines) == 1


async def test_a_truncated_journal_gets_its_audit_anchors_again(book: journal.Journal, team: Team) -> None:
    await make_key(team)
    await reconcile.anchor(book)
    known = await book.anchors()
    assert known[team.workspace.id][0] == 1
    book.path.write_text("")
    await reconcile.catch_up(book)
    await reconcile.anchor(book)
    assert await book.anchors() == known
