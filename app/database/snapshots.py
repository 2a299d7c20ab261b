"""Reads whole tables in pages, as they are at one moment."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from app import database
from app.database.postgres import PooledPostgresEngine, acquire
from app.errors import Conflict

_PAGE: Final = 1_000

Pages: TypeAlias = AsyncIterator[list[tuple[Any, ...]]]
# The rows of a statement, in pages.
Reader: TypeAlias = Callable[[str], Pages]


@contextlib.asynccontextmanager
async def snapshot() -> AsyncIterator[Reader]:
    """Reads from one consistent snapshot of this process's database, while others write."""
    engine = database.engine()
    if isinstance(engine, PooledPostgresEngine):
        connection = await acquire(engine)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield lambda statement: _postgres_pages(connection, statement)
        finally:
            await engine.pool.release(connection)  # type: ignore[union-attr]  # acquired from it
        return
    with contextlib.closing(sqlite3.connect(engine.path, isolation_level=None)) as source:
        source.execute("PRAGMA query_only = ON")
        source.execute("PRAGMA busy_timeout = 5000")
        source.execute("BEGIN")
        yield reader_of(source)


def reader_of(source: sqlite3.Connection) -> Reader:
    """Reads from an SQLite database that is open already."""
    return lambda statement: _sqlite_pages(source, statement)


def reader_in_transaction() -> Reader:
    """Reads what the open transaction sees. PostgreSQL only."""
    running = database.engine().current_transaction.get()
    if running is None:
        raise RuntimeError("no transaction is open")
    return lambda statement: _postgres_pages(running.connection, statement)


@contextlib.contextmanager
def locked(source: Path) -> Iterator[sqlite3.Connection]:
    """Opens an SQLite database in such a way that nothing else can write to it. Raises Conflict while something does."""
    with contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Conflict(f"{source} cannot be locked: {error}.") from None
        yield connection


async def _postgres_pages(connection: Any, statement: str) -> Pages:
    cursor = await connection.cursor(statement)
    while page := await cursor.fetch(_PAGE):
        yield [tuple(row) for row in page]


async def _sqlite_pages(source: sqlite3.Connection, statement: str) -> Pages:
    cursor = source.execute(statement)
    while page := cursor.fetchmany(_PAGE):
        yield page
