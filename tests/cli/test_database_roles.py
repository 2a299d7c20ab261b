"""Two roles of PostgreSQL: one owns the tables and migrates, the other serves and cannot change the audit log."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from app import clock
from tests.cli.conftest import Keydesk
from tests.conftest import KIND
from tests.support.http import Gateway, Program
from tests.support.postgres import Postgres
from tests.support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="SQLite has no roles")]
PASSWORD = "orange lantern under seven bridges"
ANN = ("--email", "ann@example.org", "--name", "Ann", "--workspace", "Acme")
SCOPES = "keys.read,keys.write,usage.read,audit.read,workspace.read,workspace.write"


@dataclass(frozen=True)
class Roles:
    """A database with two roles; `keydesk` serves, `owner` migrates."""

    serving: Keydesk
    owner: Keydesk
    url: str

    async def run(self, statement: str) -> None:
        """As the serving role. Raises errors of asyncpg."""
        connection = await asyncpg.connect(self.serving.environment["KEYDESK_DATABASE_URL"])
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture
def roles(elsewhere: Keydesk, request: pytest.FixtureRequest) -> Iterator[Roles]:
    server: Postgres = request.getfixturevalue("postgres")
    url, mark = elsewhere.environment["KEYDESK_DATABASE_URL"], uuid.uuid4().hex[:8]
    owner, serving, name = f"owner_{mark}", f"serving_{mark}", urlsplit(url).path[1:]
    for statement in (
        f"CREATE ROLE {owner} LOGIN PASSWORD 'owner'", f"CREATE ROLE {serving} LOGIN PASSWORD 'serving'",
        f"ALTER DATABASE {name} OWNER TO {owner}", "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ):  # fmt: skip
        asyncio.run(_execute(url if "SCHEMA" in statement else server.uri, statement))
    served = elsewhere.under(KEYDESK_DATABASE_URL=_as(url, serving))
    yield Roles(served, served.under(KEYDESK_MIGRATION_DATABASE_URL=_as(url, owner)), url)
    for statement in (f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {owner}", f"DROP ROLE {serving}"):
        asyncio.run(_execute(server.uri, statement))


def _as(url: str, role: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{role.partition('_')[0]}@{host}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def findings(keydesk: Keydesk) -> list[str]:
    return [each["text"] for each in keydesk.json("doctor") if each["what"] == "audit" and each["text"].startswith("the role ")]


async def test_a_node_does_everything_under_a_role_that_cannot_change_the_audit_log(roles: Roles, tmp_path: Path) -> None:
    assert "cannot create tables. Run `keydesk migrate` with KEYDESK_MIGRATION_DATABASE_URL" in roles.serving.refused("migrate")
    roles.owner("migrate")
    keydesk = roles.serving
    keydesk("create-owner", *ANN, stdin=PASSWORD)
    keydesk("set-plan", "acme", "scale")
    program_key = keydesk("management-key", "create", "--workspace", "acme", "--scopes", SCOPES, "--expires", "30d").strip()
    gateway_token = keydesk("gateway-token", "create", "edge").strip()
    with Server(keydesk.environment, tmp_path, patient=True).running() as node:
        async with Program(node.port, program_key) as program, Gateway(node.port, gateway_token) as gateway:
            await use(program, gateway)
            entries = (await program.ask("{ workspace { auditEvents { totalCount } } }"))["workspace"]["auditEvents"]["totalCount"]
        assert entries >= 10
        assert node.stop() == 0
        assert "ERROR" not in node.log.read_text() and "permission denied" not in node.log.read_text()

    for statement in (
        "UPDATE audit_entry SET actor_name = 'Nobody'", "DELETE FROM audit_entry", "TRUNCATE audit_entry",
        "DROP TABLE audit_entry", "ALTER TABLE audit_entry DISABLE TRIGGER ALL", "DELETE FROM migration",
        "SELECT id FROM audit_entry FOR UPDATE",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await roles.run(statement)
    (text,) = findings(keydesk)
    assert text.endswith("can add entries, and neither change nor remove them")
    assert all(chain["sound"] for chain in keydesk.json("audit", "verify"))

    copy = str(tmp_path / "copy")
    keydesk("backup", copy)
    assert "does not own the tables" in keydesk.refused("restore", copy, "--replace")
    assert roles.owner.json("restore", copy, "--replace")["rows"]["audit_entry"] >= entries
    assert all(chain["sound"] for chain in keydesk.json("audit", "verify"))
    assert findings(keydesk) == [text]


async def use(program: Program, gateway: Gateway) -> None:
    """Changes of all kinds that a program can make, verifications and reports."""
    made = await program.change("keys/create", name="Shop", environment="production", permissions=["pdf.read"])
    key, secret = made["apiKey"]["id"], made["secret"]
    assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
    event = {"keyId": key, "at": clock.rfc3339(now()), "permission": "pdf.read", "status": 200}
    assert (await gateway.report(str(uuid.uuid4()), [event])).json()["accepted"] == 1
    await program.change("keys/update", id=key, name="Shop, renamed")
    await program.change("keys/suspend", id=key)
    assert (await gateway.verdict(secret)).json()["code"] == "SUSPENDED"
    await program.change("keys/resume", id=key)
    rotation = await program.change("rotations/start", id=key)
    await program.change("rotations/cancel", id=rotation["rotation"]["id"])
    await program.change("workspaces/update", name="Acme Two")
    await program.change("keys/revoke", id=key, reason="OTHER")
    assert (await gateway.verdict(secret)).json()["code"] == "REVOKED"
    used = "{ workspace { usage { totalRequests } } }"
    assert (await program.ask(used))["workspace"]["usage"]["totalRequests"] == 4


def test_a_copy_from_sqlite_needs_the_owner_and_is_served_by_the_other_role(roles: Roles, tmp_path: Path) -> None:
    file = tmp_path / "data" / "keydesk.db"
    roles.serving.under(KEYDESK_DATABASE_URL=f"sqlite:///{file}")("create-owner", *ANN, stdin=PASSWORD)
    copy = ("database", "copy", "--from", str(file))
    assert "cannot create tables" in roles.serving.refused(*copy)
    roles.owner("migrate")
    assert "does not own the tables" in roles.serving.refused(*copy)
    assert roles.owner.json(*copy)["copied"] is True
    assert all(chain["sound"] for chain in roles.serving.json("audit", "verify"))
    roles.serving("set-plan", "acme", "scale")
    (text,) = findings(roles.serving)
    assert text.endswith("can add entries, and neither change nor remove them")


def now() -> int:
    return time.time_ns() // 1000


def test_a_role_that_owns_the_tables_is_reported(elsewhere: Keydesk) -> None:
    elsewhere("migrate")
    (text,) = findings(elsewhere)
    assert "can change or remove entries (UPDATE, DELETE, TRUNCATE, ALTER)" in text


def test_a_migration_role_in_another_database_is_refused(roles: Roles, postgres: Postgres) -> None:
    elsewhere = roles.owner.under(KEYDESK_MIGRATION_DATABASE_URL=postgres.new_database())
    assert "leads to another database" in elsewhere.refused("migrate")
