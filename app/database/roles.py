"""PostgreSQL's roles: one owns the tables and migrates them, another one serves and cannot change what was written to the audit
log. SQLite has none."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from piccolo.table import TABLE_REGISTRY

from app import database, runtime
from app.database import Database
from app.database.postgres import PooledPostgresEngine
from app.errors import StartRefused
from app.settings import Settings

# Tables whose rows the serving role adds and never changes, and those that it only reads.
APPEND_ONLY: Final = frozenset({"audit_entry"})
READ_ONLY: Final = frozenset({"migration"})
_ELSEWHERE: Final = "KEYDESK_MIGRATION_DATABASE_URL leads to another database than KEYDESK_DATABASE_URL."


@contextlib.asynccontextmanager
async def as_owner(settings: Settings) -> AsyncIterator[str]:
    """Everything inside uses the role of KEYDESK_MIGRATION_DATABASE_URL, if there is one; yields the name of the serving role, or
    nothing on SQLite. Raises StartRefused if the URL leads to another database."""
    if settings.migration_database_url is None:
        yield "" if database.is_sqlite() else await role()
        return
    if database.is_sqlite():
        raise StartRefused("KEYDESK_MIGRATION_DATABASE_URL is for PostgreSQL: SQLite has no roles.")
    serving, identity, name = runtime.current(Database), await _identity(), await role()
    owner = PooledPostgresEngine(settings.migration_database_url)
    await owner.start_connection_pool()
    try:
        runtime.put(Database(owner, serving.log))
        _forget_engines()
        if await _identity() != identity:
            raise StartRefused(_ELSEWHERE)
        yield name
    finally:
        runtime.put(serving)
        _forget_engines()
        await owner.close_connection_pool()


async def role() -> str:
    """The role of the connections."""
    return str((await database.fetch("SELECT current_user::text AS role"))[0]["role"])


async def grant(to: str) -> None:
    """Gives a role what serving needs, on every table of the role that is in use: all but changing the audit log. Does nothing for
    the role in use. Call inside a transaction."""
    if to == await role():
        return
    name = _quoted(to)
    await database.fetch(f"GRANT USAGE ON SCHEMA {_quoted(await _schema())} TO {name}")
    for table in await _owned("pg_tables", "tablename", "tableowner"):
        rights = "SELECT" if table in READ_ONLY else "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        await database.fetch(f"REVOKE ALL ON {_quoted(table)} FROM {name}")
        await database.fetch(f"GRANT {rights} ON {_quoted(table)} TO {name}")
    for sequence in await _owned("pg_sequences", "sequencename", "sequenceowner"):
        await database.fetch(f"GRANT USAGE, SELECT ON SEQUENCE {_quoted(sequence)} TO {name}")


async def ways_to_change(table: str) -> list[str]:
    """What the role in use could do to rows of a table that are there; empty if nothing."""
    found = await database.fetch(
        "SELECT has_any_column_privilege(c.oid, 'UPDATE') AS \"UPDATE\", has_table_privilege(c.oid, 'DELETE') AS \"DELETE\","
        " has_table_privilege(c.oid, 'TRUNCATE') AS \"TRUNCATE\", pg_has_role(c.relowner, 'USAGE') AS \"ALTER\""
        " FROM pg_class c WHERE c.oid = to_regclass({})",
        table,
    )
    return [way for way, can in found[0].items() if can] if found else []


async def require_owner() -> None:
    """Raises StartRefused if the role in use cannot create tables, so that a migration would fail."""
    if database.is_sqlite():
        return
    rows = await database.fetch("SELECT current_user::text AS role, has_schema_privilege(current_schema(), 'CREATE') AS can")
    if not rows[0]["can"]:
        raise StartRefused(
            f"The database is to be migrated, and the role {rows[0]['role']} cannot create tables."
            " Run `keydesk migrate` with KEYDESK_MIGRATION_DATABASE_URL."
        )


async def require_tables() -> None:
    """Raises StartRefused unless the role in use owns the tables: replacing their contents removes audit entries, which a role
    that only serves cannot do."""
    if not database.is_sqlite() and "ALTER" not in await ways_to_change("audit_entry"):
        raise StartRefused(f"The role {await role()} does not own the tables. Use KEYDESK_MIGRATION_DATABASE_URL, whose role does.")


async def _schema() -> str:
    return str((await database.fetch("SELECT current_schema()::text AS name"))[0]["name"])


async def _owned(view: str, name: str, owner: str) -> list[str]:
    """Names of the schema's objects that belong to the role in use."""
    rows = await database.fetch(
        f"SELECT {name}::text AS name FROM {view} WHERE schemaname = current_schema() AND {owner} = current_user ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def _identity() -> tuple[object, ...]:
    """Which database this is: its server's start and its number there."""
    query = "SELECT d.oid::bigint AS id, current_schema()::text AS name FROM pg_database d WHERE d.datname = current_database()"
    (row,) = await database.fetch(query)
    return await database.server(), row["id"], row["name"]


def _forget_engines() -> None:
    """Piccolo caches the engine of each table."""
    for table in TABLE_REGISTRY:
        table._meta._db = None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
