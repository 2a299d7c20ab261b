"""`backup` and `restore` as processes: while the server runs, and killed at any point."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from app import database
from app.clock import HOUR
from app.keys import service as keys
from app.keys.key import Reason
from tests.cli.conftest import Keydesk
from tests.conftest import KIND, Team, make_key
from tests.support.server import Server

HOURS = 40_000
KILLS = 6
ATTEMPTS = 90


async def much_usage(key: str) -> None:
    """Adds enough rows for a kill to happen between them."""
    async with database.transaction():
        await database.fetch(
            "INSERT INTO usage_hour (key, hour, permission, outcome, requests) WITH RECURSIVE n (i) AS"
            f" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {HOURS}) SELECT '{key}', i * {HOUR}, 'pdf.read', 'VALID', 1 FROM n"
        )


@pytest.mark.slow
async def test_a_backup_of_a_running_server_is_restored_elsewhere_without_what_was_revoked_since(
    keydesk: Keydesk, elsewhere: Keydesk, node: Server, team: Team, tmp_path: Path
) -> None:
    kept, revoked = [(await make_key(team, name)) for name in ("Kept", "Revoked")]
    copy = str(tmp_path / "copy")
    assert keydesk.json("backup", copy)["rows"]["api_key"] == 2
    assert "there is a file of this name already" in keydesk.refused("backup", copy)
    await keys.revoke(team.owner, revoked.key.id, Reason.OTHER)
    assert keydesk.refused("restore", copy) == "A server uses this database. Stop it first, or say --replace."

    there = elsewhere.under(KEYDESK_REVOCATION_JOURNAL=keydesk.environment["KEYDESK_REVOCATION_JOURNAL"])
    assert there("restore", copy).splitlines()[1] == "From the journal: 1 API keys revoked."
    assert there.refused("restore", copy) == "This database is not empty. Say --replace to put the backup in its place."
    assert there.json("restore", copy, "--replace")["fromJournal"] == {"key.revoked": 1}
    assert [each["sound"] for each in there.json("audit", "verify")] == [True, True]
    found = {made.key.id: there.json("find", stdin=made.secret or "")["status"] for made in (kept, revoked)}
    assert found == {kept.key.id: "ACTIVE", revoked.key.id: "REVOKED"}


@pytest.mark.slow
async def test_a_killed_backup_leaves_no_file_and_a_killed_restore_all_or_nothing(
    keydesk: Keydesk, elsewhere: Keydesk, team: Team, tmp_path: Path
) -> None:
    await much_usage((await make_key(team)).key.id)
    copy = tmp_path / "copy"
    # On a busy machine a backup may be complete before it is killed.
    whole, killed = tmp_path / "whole", 0
    for _ in range(ATTEMPTS):
        saving = begun(keydesk, "backup", str(copy))
        while saving.poll() is None and not list(tmp_path.glob(".copy.*")):
            time.sleep(0.001)
        saving.kill()
        saving.wait()
        if copy.exists():
            copy.replace(whole)
        else:
            assert saving.returncode != 0
            killed += 1
        if killed == 3:
            break
    assert killed == 3
    rows = keydesk.json("backup", str(copy))["rows"]
    assert rows["usage_hour"] == HOURS
    assert list(tmp_path.glob(".copy.*")) == []

    elsewhere("migrate")
    begin = time.monotonic()
    assert elsewhere.json("restore", str(copy))["rows"] == rows
    took = time.monotonic() - begin
    if whole.exists():
        assert elsewhere.json("restore", str(whole), "--replace")["rows"] == rows
    smaller = tmp_path / "smaller"
    async with database.transaction():
        # A trigger would update the daily counters for each row, which on PostgreSQL takes longer than the statement timeout.
        await database.fetch("TRUNCATE usage_hour, usage_day" if KIND == "postgres" else "DELETE FROM usage_hour")
    less = keydesk.json("backup", str(smaller))["rows"]
    for number in range(KILLS):
        restoring = begun(elsewhere, "restore", str(smaller if number % 2 == 0 else copy), "--replace")
        time.sleep(took * (number + 1) / KILLS)
        restoring.kill()
        restoring.wait()
        check = tmp_path / f"check-{number}"
        found = elsewhere.json("backup", str(check))["rows"]
        assert (found["usage_hour"], found["api_key"]) in ((rows["usage_hour"], 1), (less["usage_hour"], 1))
        assert [each["sound"] for each in elsewhere.json("audit", "verify")] == [True, True]


def begun(keydesk: Keydesk, *arguments: str) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(keydesk.command(*arguments), env=keydesk.variables, stdout=quiet, stderr=quiet)
