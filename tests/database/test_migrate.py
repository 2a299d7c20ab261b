"""Migrations: one process at a time, and after a kill at any point the next start completes them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.database.migrate import known_migrations
from tests.conftest import KIND, PEPPER
from tests.support.processes import answer, python

if TYPE_CHECKING:
    from tests.support.postgres import Postgres

MIGRATE = """
import asyncio, os, sys
from app import start
from app.database.migrate import missing
from app.settings import Settings

async def main():
    print("begun", flush=True)
    async with start.opened(Settings.load(os.environ), make=True):
        print(await missing())

asyncio.run(main())
"""


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Environment variables for a database that does not exist yet."""
    if KIND == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    else:
        url = f"sqlite:///{tmp_path}/keydesk.db"
    journal = str(tmp_path / "revocations.jsonl")
    return {"KEYDESK_DATABASE_URL": url, "KEYDESK_PEPPER": PEPPER, "KEYDESK_REVOCATION_JOURNAL": journal}


def test_four_processes_that_start_together_create_one_database(fresh: dict[str, str]) -> None:
    processes = [python(MIGRATE, fresh) for _ in range(4)]
    assert [answer(process) for process in processes] == ["begun\n[]\n"] * 4


def test_killed_at_any_point_the_next_start_finishes_the_work(fresh: dict[str, str]) -> None:
    for step in range(12):
        process = python(MIGRATE, fresh)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(step * 0.012)
        process.kill()
        process.communicate()
    assert answer(python(MIGRATE, fresh)) == "begun\n[]\n"


@pytest.mark.skipif(KIND != "sqlite", reason="about SQLite's file")
def test_the_file_is_private_wal_and_whole(fresh: dict[str, str], tmp_path: Path) -> None:
    answer(python(MIGRATE, fresh))
    path = tmp_path / "keydesk.db"
    assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        recorded = {row[0] for row in connection.execute("SELECT name FROM migration")}
    assert recorded == known_migrations()


def test_a_wrong_pepper_refuses_to_start_and_says_so(fresh: dict[str, str]) -> None:
    answer(python(MIGRATE, fresh))
    process = python(MIGRATE, fresh | {"KEYDESK_PEPPER": "another pepper, just as long as the first one"})
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Wrong pepper" in err


def test_a_pepper_is_changed_without_losing_the_audit_chain(fresh: dict[str, str]) -> None:
    answer(python(MIGRATE, fresh))
    new = fresh | {"KEYDESK_PEPPER": "the pepper that replaces the first one, long enough"}
    check = MIGRATE.replace("print(await missing())", "from app.audit import service; print(await service.first_broken('system'))")
    assert answer(python(check, new | {"KEYDESK_PEPPER_PREVIOUS": PEPPER})) == "begun\nNone\n"
    assert answer(python(check, new)) == "begun\nNone\n"


BEFORE_OWNERS = """
import asyncio, os
from app import database, start
from app.access.actor import Actor, Request, Scope
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import KeySettings
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.settings import Settings
from tests.conftest import make_team

async def main():
    async with start.opened(Settings.load(os.environ), make=True):
        team, until = await make_team(), await database.now() + DAY
        program, _ = await management_keys.create(team.owner, team.slug, ManagementKeyInput("CI", (Scope.KEYS_WRITE,), until))
        for name, actor in (("user", team.editor), ("program", program.actor(Request())), ("operator", Actor.operator())):
            await keys.create(actor, team.slug, KeySettings(name, "production", ("pdf.read",)))
        async with database.transaction():
            await database.fetch("ALTER TABLE api_key DROP COLUMN owner")
            await database.fetch("DELETE FROM migration WHERE name = '2026-11-30T04:55:00:000000'")

asyncio.run(main())
"""
AFTER_OWNERS = MIGRATE.replace(
    "print(await missing())",
    "from app import database; print(sorted((row['name'], row['owner']) for row in await database.fetch("
    "'SELECT k.name, a.name AS owner FROM api_key k LEFT JOIN account a ON a.id = k.owner')))",
)


def test_keys_from_before_owners_belong_to_who_created_them_or_made_the_management_key_that_did(fresh: dict[str, str]) -> None:
    assert answer(python(BEFORE_OWNERS, fresh)) == ""
    owners = [("operator", None), ("program", "Owner of acme"), ("user", "Editor of acme")]
    assert answer(python(AFTER_OWNERS, fresh)) == f"begun\n{owners}\n"
