"""Saves all rows of a database to one file and loads them; one format for SQLite and PostgreSQL, made while the server runs.

The file is an SQLite database with one table for each of ours and one that says how many rows each has. It is there whole or
not at all. What lasts minutes is left out: sessions, links that were mailed, throttles and leases; so no restore signs anyone
in again who had been signed out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from piccolo.columns import Serial
from piccolo.table import sort_table_classes

from app import database, whole_file
from app.database.migrate import known_migrations, missing
from app.database.piccolo_conf import APP_REGISTRY
from app.database.postgres import PooledPostgresEngine
from app.database.snapshots import snapshot
from app.errors import StartRefused

_ABOUT: Final = "keydesk_backup"
_PARAMETERS: Final = 20_000
# The byte of the -shm file that SQLite locks (shared) while any process has the database open.
_OPEN_BYTE: Final = 128
_LOCK: Final = "hhqqi"


def tables() -> dict[str, list[str]]:
    """The columns of every table; referenced tables come first."""
    return {
        table._meta.tablename: [column._meta.db_column_name for column in table._meta.columns]
        for table in sort_table_classes(APP_REGISTRY.get_table_classes("keydesk"))
    }


async def save(target: Path, *, without: Collection[str]) -> dict[str, int]:
    """Writes all rows but those of the tables `without`, as they are at one moment, into a new file of mode 0600; answers how many
    by table.

    Raises FileExistsError, other OSErrors, Unavailable.
    """
    with whole_file.written(target) as half:
        try:
            with contextlib.closing(sqlite3.connect(half, isolation_level=None)) as into:
                return await _save_all(into, without)
        except sqlite3.Error as error:
            raise OSError(0, str(error), str(target)) from error


@contextlib.contextmanager
def reading(source: Path) -> Iterator[sqlite3.Connection]:
    """Opens a backup. Raises StartRefused if it is incomplete or this version does not understand it."""
    if not source.is_file():
        raise StartRefused(f"There is no backup at {source}.")
    try:
        with contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as backup:
            _check(backup, source)
            yield backup
    except sqlite3.DatabaseError as error:
        raise StartRefused(f"{source} is no whole backup of Keydesk: {error}.") from None


async def load(backup: sqlite3.Connection, *, without: Collection[str]) -> dict[str, int]:
    """Replaces all rows with those of the backup, and empties the tables `without`; call inside a transaction. Returns the
    number of rows by table."""
    if not database.is_sqlite():
        await database.fetch("SET LOCAL statement_timeout = 0")
    for table in reversed(tables()):
        await database.fetch(f'DELETE FROM "{table}"')
    counts = {table: await _load_table(backup, table) for table in tables() if table not in without}
    if not database.is_sqlite():
        await _continue_numbering()
    return counts


def is_open_elsewhere(path: Path) -> bool:
    """Whether another process has this SQLite file open. Call it before this process opens the file: closing it here would release
    locks that SQLite holds for this process."""
    shared = path.with_name(f"{path.name}-shm")
    if not shared.exists():
        return False
    descriptor = os.open(shared, os.O_RDWR)
    try:
        wanted = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, _OPEN_BYTE, 1, 0)
        kind, *_ = struct.unpack(_LOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, wanted))
        return bool(kind != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


async def is_served() -> bool:
    """Whether another process is connected to this PostgreSQL database as Keydesk."""
    engine = database.engine()
    if not isinstance(engine, PooledPostgresEngine) or engine.pool is None:
        return False
    rows = await database.fetch(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'keydesk' AND datname = current_database()"
    )
    return bool(rows[0]["n"] > engine.pool.get_size())


async def is_empty() -> bool:
    """Whether this database has not been used yet: nothing in it was made by anyone."""
    return not await database.fetch(
        "SELECT id FROM workspace UNION ALL SELECT id FROM account"
        " UNION ALL SELECT id FROM gateway_token UNION ALL SELECT id FROM operator_key LIMIT 1"
    )


async def _save_all(into: sqlite3.Connection, without: Collection[str]) -> dict[str, int]:
    if await missing():
        raise StartRefused("The database belongs to another version. `keydesk migrate` brings it to this one.")
    counts: dict[str, int] = {}
    into.execute("PRAGMA synchronous = OFF")
    # Nothing is rolled back: a file that is not whole is deleted, and a killed run must leave no second one beside it.
    into.execute("PRAGMA journal_mode = OFF")
    into.execute("BEGIN")
    async with snapshot() as rows_of:
        for table, columns in tables().items():
            if table in without:
                continue
            names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" for _ in columns)
            into.execute(f'CREATE TABLE "{table}" ({names})')
            counts[table] = 0
            async for page in rows_of(f'SELECT {names} FROM "{table}"'):
                into.executemany(f'INSERT INTO "{table}" VALUES ({marks})', page)
                counts[table] += len(page)
    into.execute(f"CREATE TABLE {_ABOUT} (kind, name, rows)")
    into.executemany(f"INSERT INTO {_ABOUT} VALUES ('table', ?, ?)", counts.items())
    into.executemany(f"INSERT INTO {_ABOUT} VALUES ('migration', ?, 0)", [(name,) for name in known_migrations()])
    into.execute("COMMIT")
    return counts


def _check(backup: sqlite3.Connection, source: Path) -> None:
    about = backup.execute(f"SELECT kind, name, rows FROM {_ABOUT}").fetchall()
    if {name for kind, name, _ in about if kind == "migration"} - known_migrations():
        raise StartRefused(f"{source} was made by a newer version of Keydesk. Restore it with that one.")
    for kind, table, rows in about:
        if kind == "table" and backup.execute(f'SELECT count(*) FROM "{table}"').fetchone() != (rows,):
            raise StartRefused(f"{source} is no whole backup of Keydesk: rows of {table} are lacking.")


async def _load_table(backup: sqlite3.Connection, table: str) -> int:
    """An older backup lacks tables and columns that were added later; they get the defaults of the migrations."""
    there = {row[1] for row in backup.execute(f'PRAGMA table_info("{table}")')}
    columns = [name for name in tables()[table] if name in there]
    if not columns:
        return 0
    names, row_marks = ", ".join(f'"{name}"' for name in columns), f"({', '.join('{}' for _ in columns)})"
    cursor, count = backup.execute(f'SELECT {names} FROM "{table}"'), 0
    while page := cursor.fetchmany(_PARAMETERS // len(columns)):
        marks = ", ".join([row_marks] * len(page))
        await database.fetch(f'INSERT INTO "{table}" ({names}) VALUES {marks}', *(value for row in page for value in row))
        count += len(page)
    return count


async def _continue_numbering() -> None:
    """New rows of numbered tables get higher ids than the loaded ones."""
    for table in APP_REGISTRY.get_table_classes("keydesk"):
        if isinstance(table._meta.primary_key, Serial):
            name = table._meta.tablename
            await database.fetch(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT COALESCE(MAX(id), 0) + 1 FROM {name}), false)"
            )
