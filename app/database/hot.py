"""The hot path's own access to the database: one indexed read and one grouped write for a batch of requests.

Piccolo builds a query in 150 µs, which here would be most of a request, so these statements are written down once. On
SQLite the read is synchronous (8 µs on a persistent connection, less than any hop to a thread) and the write, which
waits for the disk, runs in a thread of its own. On PostgreSQL each is one round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import asyncpg

from app import database
from app.database.postgres import POOLED, UNAVAILABLE, PooledPostgresEngine, settle
from app.database.sqlite import PRAGMAS, RETRY_SECONDS, PersistentSQLiteEngine, is_busy
from app.database.statements import (
    Lookup,
    Upsert,
    padded,
    postgres_select,
    postgres_upserts,
    sqlite_select,
    sqlite_upsert,
)
from app.errors import Unavailable

Row = Sequence[Any]
# Counts touch the same few hundred pages over and over: a checkpoint every 4 MB would write each of them again and again
# (a fifth of a count's cost); every 64 MB it is next to nothing.
CHECKPOINT_PAGES: Final = 16_000
LOG_MEGABYTES: Final = 64
# A batch is given up after 0.4 s (`verification.batch`); PostgreSQL gives its statements up no later, locks a little earlier.
STATEMENT_TIMEOUT: Final = "400ms"
LOCK_TIMEOUT: Final = "300ms"
GIVEN_UP_SECONDS: Final = 0.4
# `transaction_read_only`, as PostgreSQL says it.
READ_ONLY: Final = "on"


class Hot(Protocol):
    """What verification needs of a database. `batches` may be under way at once."""

    batches: int

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        """All rows. Raises Unavailable."""
        ...

    async def write(self, upserts: list[Upsert]) -> None:
        """All of them committed, or Unavailable; then they may or may not have been, and must not be tried again."""
        ...


def open_for(engine: PersistentSQLiteEngine | PooledPostgresEngine) -> Hot:
    """The hot path into the bound database."""
    return HotSQLite(engine) if isinstance(engine, PersistentSQLiteEngine) else HotPostgres(engine)


class HotSQLite:
    """Two connections of its own: one that only reads, one that writes under the process's writer lock."""

    batches = 1

    def __init__(self, engine: PersistentSQLiteEngine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")

    async def open(self) -> None:
        self._reader = _connect(self._engine.path, "query_only=ON")
        self._writer = _connect(self._engine.path, f"wal_autocheckpoint={CHECKPOINT_PAGES}")
        # So that the file has room for all that there is: emptying the log on a full disk then takes none.
        _empty_log(self._writer)

    async def close(self) -> None:
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        self._engine.check_file()
        lengthened = [padded(values) for values in lists]
        statement = sqlite_select(lookup, tuple(len(values) for values in lengthened))
        frozen = database.frozen()
        now = _machine_now() if frozen is None else frozen
        try:
            # Fetched to the end: an open cursor would keep an old snapshot and with it a revoked key.
            return self._reader.execute(statement, [now, *(value for values in lengthened for value in values)]).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(internal=f"reading: {error}") from error

    async def write(self, upserts: list[Upsert]) -> None:
        while not await self._try_to_write(upserts):  # noqa: ASYNC110  # another process sets no event of ours
            # The lock is let go in between, so that whoever holds the file's lock in this process can finish.
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_to_write(self, upserts: list[Upsert]) -> bool:
        """False if another process holds the file's lock: nothing was written."""
        async with self._engine.writer_lock:
            self._engine.check_file()
            if not _begin(self._writer):
                return False
            _stage(self._writer, upserts)
            work = asyncio.get_running_loop().run_in_executor(self._thread, _commit, self._writer)
            try:
                # Shielded: whoever gives up waiting must not free the lock under a writer that is still at work.
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])
                raise
        return True


class HotPostgres:
    """A few connections of its own; a write is one statement, so that it is one round trip and one transaction.

    asyncpg's pool starts a task and asks the server to reset whatever is given back, which here costs more than the
    statements; these connections run nothing else and have nothing to reset.
    """

    # While some wait for the disk or the network, others are read.
    batches = 3
    # One more than the batches, for reading a gateway's token beside them.
    connections = 4

    def __init__(self, engine: PooledPostgresEngine) -> None:
        self._engine = engine

    async def open(self) -> None:
        self._idle: list[asyncpg.Connection] = []
        self._free = asyncio.Semaphore(self.connections)

    async def close(self) -> None:
        # Not `close`, which waits for an answer that a server that is gone will never give.
        while self._idle:
            self._idle.pop().terminate()

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        rows = await self._fetch("reading", postgres_select(lookup), database.frozen(), *lists)
        return [] if rows[0][0] is None else rows

    async def write(self, upserts: list[Upsert]) -> None:
        columns = [list(column) for upsert in upserts for column in zip(*upsert.rows, strict=True)]
        await self._fetch("counting", postgres_upserts(tuple(upserts)), *columns)

    async def _fetch(self, what: str, statement: str, *arguments: Any) -> list[Row]:
        await self._free.acquire()
        place_kept = 0.0
        try:
            try:
                connection = await self._connection()
            except (*UNAVAILABLE, *POOLED) as error:
                place_kept = GIVEN_UP_SECONDS
                raise Unavailable(internal=f"connecting: {error!r}") from error
            try:
                rows: list[Row] = await connection.fetch(statement, *arguments)
                if rows and rows[0][-1] == READ_ONLY:
                    raise Unavailable(internal="the PostgreSQL server only reads")
            except BaseException as error:
                # In whatever state it is, nobody else shall meet it. The server notices that it was given up when its own
                # limit for the statement has passed; until then the place stays taken, so that no more connections are
                # ever open than there are places.
                place_kept = GIVEN_UP_SECONDS
                connection.terminate()
                if isinstance(error, UNAVAILABLE):
                    raise Unavailable(internal=f"{what}: {error!r}") from error
                raise
            self._idle.append(connection)
            return rows
        except asyncio.CancelledError:
            place_kept = GIVEN_UP_SECONDS
            raise
        finally:
            if place_kept:
                asyncio.get_running_loop().call_later(place_kept, self._free.release)
            else:
                self._free.release()

    async def _connection(self) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        connection = await asyncpg.connect(**self._engine.config, statement_cache_size=200)
        try:
            await settle(connection, lock_timeout=LOCK_TIMEOUT, statement_timeout=STATEMENT_TIMEOUT)
        except BaseException:
            connection.terminate()
            raise
        return connection


def _connect(path: str, *pragmas: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        for pragma in (*PRAGMAS, *pragmas):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error as error:
        raise Unavailable(internal=f"{path}: {error}") from error
    return connection


def _begin(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if is_busy(error):
            return False
        raise Unavailable(internal=f"counting: {error}") from error
    return True


def _stage(connection: sqlite3.Connection, upserts: list[Upsert]) -> None:
    """In memory as yet (3 µs a row), so that no thread has to wait its turn to go on after every statement."""
    with _or_rolled_back(connection):
        for upsert in upserts:
            values = [value for row in upsert.rows for value in row]
            connection.execute(sqlite_upsert(upsert, len(upsert.rows)), values)


def _commit(connection: sqlite3.Connection) -> None:
    """In the writer's thread, because it waits for the disk. On a full disk the write-ahead log may be what fills it: it is
    emptied, and the next batch finds room. This one was not written."""
    try:
        with _or_rolled_back(connection):
            connection.execute("COMMIT")
    except Unavailable as failure:
        if getattr(failure.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            _empty_log(connection)
        raise


def _empty_log(connection: sqlite3.Connection) -> None:
    """The write-ahead log into the file, as far as nobody still reads in it."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextlib.contextmanager
def _or_rolled_back(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise Unavailable(internal=f"counting: {error}") from error


def _machine_now() -> int:
    """SQLite's clock is this machine's clock."""
    return time.time_ns() // 1000
