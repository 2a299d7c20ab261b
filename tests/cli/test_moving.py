"""`database copy`: the demo is moved from SQLite to PostgreSQL, with every key, every count and every audit entry."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.clock import HOUR
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER
from tests.support.http import Gateway
from tests.support.postgres import Postgres
from tests.support.processes import answer, python
from tests.support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="it needs a PostgreSQL to move to")]
# Runs `keydesk demo`, and prints the secrets of the keys it creates, which the command itself never shows.
DEMO = """
import sys
from app.cli import main
from app.keys import create
made, generate = [], create.generate
create.generate = lambda *asked: made.append(generate(*asked)) or made[-1]
sys.argv = ["keydesk", "demo", "--json"]
try:
    main()
finally:
    print(*made, sep="\\n")
"""
HOURS = 40_000
KILLS = 3


@dataclass(frozen=True)
class Installation:
    """An installation with the demo on SQLite, `moved` on an empty PostgreSQL database, and the secrets of its keys."""

    old: Keydesk
    moved: Keydesk
    file: Path
    secrets: tuple[str, ...]
    folder: Path

    def copy(self) -> Any:
        return self.moved.json("database", "copy", "--from", str(self.file))

    def refused(self, **variables: str) -> str:
        return self.moved.under(**variables).refused("database", "copy", "--from", str(self.file))

    async def verdicts(self, of: Keydesk) -> list[dict[str, Any]]:
        """What a node says about every key; `requestId` is left out."""
        with Server(of.environment, self.folder).running() as node:
            gateway = Gateway(node.port, GATEWAY_TOKEN)
            found = [(await gateway.verdict(secret)).json() for secret in self.secrets]
            await gateway.close()
            node.stop()
        return [{name: value for name, value in each.items() if name != "requestId"} for each in found]

    async def there(self, statement: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.moved.environment["KEYDESK_DATABASE_URL"])
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    def here(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(statement).fetchall()

    def begun(self) -> subprocess.Popen[bytes]:
        arguments = self.moved.command("database", "copy", "--from", str(self.file))
        return subprocess.Popen(arguments, env=self.moved.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def installation(postgres: Postgres, tmp_path: Path) -> Installation:
    folder, file = tmp_path, tmp_path / "data" / "keydesk.db"
    shared = {
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_GATEWAY_TOKENS": GATEWAY_TOKEN,
        "KEYDESK_REVOCATION_JOURNAL": str(tmp_path / "data" / "revocations.jsonl"),
        "KEYDESK_DEV": "1",
    }
    old = Keydesk(shared | {"KEYDESK_DATABASE_URL": f"sqlite:///{file}"})
    secrets = answer(python(DEMO, old.environment)).split("\n")[1:-1]
    return Installation(old, Keydesk(shared | {"KEYDESK_DATABASE_URL": postgres.new_database()}), file, tuple(secrets), folder)


async def test_the_demo_is_moved_with_every_key_every_count_and_every_chain(installation: Installation) -> None:
    before = await installation.verdicts(installation.old)
    assert len(before) >= 10
    assert {"VALID", "REVOKED", "SUSPENDED"} <= {verdict["code"] for verdict in before}

    done = installation.copy()
    assert done["copied"] is True
    assert done["rows"]["api_key"] == len(installation.secrets)
    for table, rows in done["rows"].items():
        assert [(rows,)] == installation.here(f'SELECT count(*) FROM "{table}"'), table
        assert [(rows,)] == await installation.there(f'SELECT count(*) FROM "{table}"'), table
    for counters in ("usage_hour", "usage_day", "caller"):
        statement = f"SELECT key, CAST(SUM(requests) AS bigint) FROM {counters} GROUP BY key"
        assert sorted(installation.here(statement)) == sorted(await installation.there(statement))

    # Repeated before a node has run, it says that all is there; nothing is copied twice.
    assert installation.copy() == done | {"copied": False}
    assert [each["sound"] for each in installation.moved.json("audit", "verify")] == [True, True]
    assert await installation.verdicts(installation.moved) == before
    # The new node has counted, so this is no longer a copy.
    assert installation.refused() == f"This database is not empty, and what it holds is not a copy of {installation.file}."
    assert not [line for line in installation.moved("doctor").splitlines() if line.startswith("fail")]


async def test_a_killed_copy_leaves_nothing_and_is_repeated(installation: Installation) -> None:
    with closing(sqlite3.connect(installation.file)) as file, file:
        file.executemany(
            "INSERT OR IGNORE INTO usage_hour SELECT id, ?, 'pdf.read', 'VALID', 1 FROM api_key LIMIT 1",
            [(hour * HOUR,) for hour in range(HOURS)],
        )
    contents = installation.file.read_bytes()
    installation.moved("migrate")
    for _ in range(KILLS):
        copying = installation.begun()
        while not await installation.there(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE 'INSERT INTO \"usage_hour\"%'"
        ):
            assert copying.poll() is None
            await asyncio.sleep(0.001)
        copying.kill()
        assert copying.wait() == -signal.SIGKILL
        await until_alone(installation)
        assert await installation.there("SELECT (SELECT count(*) FROM api_key) + (SELECT count(*) FROM usage_hour)") == [(0,)]
    done = installation.copy()
    assert done["copied"] is True
    assert await installation.there("SELECT count(*) FROM usage_hour") == [(done["rows"]["usage_hour"],)]
    assert done["rows"]["usage_hour"] >= HOURS
    assert installation.file.read_bytes() == contents


async def test_a_copy_is_refused_unless_file_and_database_are_out_of_use_and_settings_fit(installation: Installation) -> None:
    with Server(installation.old.environment, installation.folder).running() as node:
        assert installation.refused() == f"A server or a command uses {installation.file}. Stop it first."
        node.stop()
    with Server(installation.moved.environment, installation.folder).running() as node:
        assert installation.refused() == "A server uses the database of KEYDESK_DATABASE_URL. Stop it first."
        node.stop()
    assert installation.refused(KEYDESK_PEPPER="another pepper, which this database has never seen").startswith("Wrong pepper")
    sqlite = installation.old.environment["KEYDESK_DATABASE_URL"]
    assert "begins with postgresql://" in installation.refused(KEYDESK_DATABASE_URL=sqlite)
    missing = installation.file.with_name("missing.db")
    assert installation.moved.refused("database", "copy", "--from", str(missing)) == f"There is no database at {missing}."
    with closing(sqlite3.connect(installation.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert installation.refused() == f"A server or a command uses {installation.file}. Stop it first."
    assert await installation.there("SELECT count(*) FROM api_key") == [(0,)]


async def test_no_server_writes_to_the_file_while_it_is_copied(installation: Installation) -> None:
    installation.moved("migrate")
    connection = await asyncpg.connect(installation.moved.environment["KEYDESK_DATABASE_URL"])
    try:
        async with connection.transaction():
            # The copy waits for this table, with the file locked.
            await connection.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
            copying = installation.begun()
            waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not await installation.there(waiting):
                assert copying.poll() is None
                await asyncio.sleep(0.01)
            copying.send_signal(signal.SIGSTOP)
            assert "write lock" in installation.old.refused("set-plan", "acme", "scale_enterprise")
            copying.kill()
            copying.wait()
    finally:
        await connection.close()
    installation.old("set-plan", "acme", "scale_enterprise")


async def test_a_copy_that_is_not_the_same_is_not_kept(installation: Installation) -> None:
    installation.moved("migrate")
    connection = await asyncpg.connect(installation.moved.environment["KEYDESK_DATABASE_URL"])
    await connection.execute(
        "CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.requests := NEW.requests + 1; RETURN NEW; END $$"
    )
    await connection.execute("CREATE TRIGGER falsify BEFORE INSERT ON caller FOR EACH ROW EXECUTE FUNCTION falsify()")
    refusal = f"The copy differs from {installation.file} in caller, so nothing of it was kept. Please report this."
    assert installation.refused() == refusal
    assert await installation.there("SELECT (SELECT count(*) FROM api_key) + (SELECT count(*) FROM caller)") == [(0,)]
    await connection.execute("DROP TRIGGER falsify ON caller")
    await connection.close()
    assert installation.copy()["copied"] is True


async def test_a_journal_that_is_left_behind_is_named(installation: Installation) -> None:
    new = installation.folder / "elsewhere.jsonl"
    moved = installation.moved.under(KEYDESK_REVOCATION_JOURNAL=str(new))
    done = moved.run("database", "copy", "--from", str(installation.file))
    old = installation.file.with_name("revocations.jsonl")
    assert done.stderr.splitlines() == [
        f"{old} is not the file of these settings. Append it before you start a node: cat {old} >> {new}"
    ]
    revoked = {row[0] for row in installation.here("SELECT id FROM api_key WHERE revoked_at IS NOT NULL")}
    assert revoked <= {json.loads(line).get("key") for line in new.read_text().splitlines()}


async def until_alone(installation: Installation) -> None:
    """Waits until the server has noticed that the killed process is gone."""
    while await installation.there(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'keydesk'"
    ):
        await asyncio.sleep(0.01)
