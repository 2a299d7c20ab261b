"""SQLite for Piccolo with persistent connections: one writer, a few readers.

Piccolo's own engine opens a connection and a thread for every query (2 ms), begins transactions DEFERRED (which makes
concurrent read-then-write fail) and keeps a transaction open after a failed COMMIT. This one keeps its connections, lets
one writer in at a time, and always begins IMMEDIATE.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiosqlite
from piccolo.engine.sqlite import SQLiteEngine, SQLiteTransaction, TransactionType, dict_factory

from app.database import deadline, overwritten
from app.errors import Unavailable

READERS = 3
PATIENCE_SECONDS = 5.0
# VM steps between two checks of a statement's deadline: well under a millisecond.
STEPS = 10_000
RETRY_SECONDS = 0.004
# `busy_timeout` is zero because SQLite would wait inside a thread, or worse inside the event loop: we wait asynchronously.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=0", "temp_store=MEMORY", "cache_size=-16000")
# The file cannot be read or written now: locked, missing, corrupt, or on a failing or full disk.
UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
    # A statement was stopped at its deadline.
    sqlite3.SQLITE_INTERRUPT,
}
# Piccolo needs each row as a dictionary, which keeps the interpreter busy while verification waits.
AS_TUPLES: ContextVar[bool] = ContextVar("as_tuples", default=False)
# The higher bits of an error code are its extended part.
_PRIMARY = 0xFF


def is_busy(error: BaseException) -> bool:
    """Whether another connection holds the lock, so that a retry makes sense."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


class WriteTransaction(SQLiteTransaction):
    """BEGIN IMMEDIATE on the writer, under the process's writer lock; nested use joins the outer one."""

    __slots__ = ()
    engine: PersistentSQLiteEngine

    async def __aenter__(self) -> SQLiteTransaction:
        if self._parent is not None:
            return self._parent
        self.connection = await self.engine.begin()
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: Any, exception: Any, traceback: Any) -> bool:
        if self._parent is not None:
            return False
        self.engine.current_transaction.reset(self.context)
        # Shielded: a caller that is cancelled here must not leave the writer locked or half a transaction open.
        await asyncio.shield(asyncio.ensure_future(self.engine.end(commit=exception is None)))
        return False


class PersistentSQLiteEngine(SQLiteEngine):
    """`writer_lock` is the one lock that every writer of this process takes, the counts of verification included."""

    __slots__ = ("_files", "_open", "_paths", "_readers", "_replaced", "_watch", "_writer", "writer_lock")

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path), cached_statements=256)
        # SQLite makes its log and the log's index with the first connection; none but the last one to close removes them.
        self._paths = (str(path), f"{path}-wal", f"{path}-shm")
        self._open: list[aiosqlite.Connection] = []
        self._writer: aiosqlite.Connection | None = None
        self._files: list[tuple[int, int] | None] = []
        self._watch: overwritten.Watch | None = None
        # True once a path no longer leads to the open file, or the file was overwritten. Nothing is read from it after that.
        self._replaced = False

    async def check_version(self) -> None:
        """Piccolo would log a line with a truncated SQLite version at each start."""

    async def start_connection_pool(self) -> None:
        """Raises Unavailable when the file cannot be opened, and StartRefused for one that was overwritten and is damaged. Makes
        the file with mode 0600 if there is none."""
        overwritten.check(self.path)
        self.writer_lock = asyncio.Lock()
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        _create_private(Path(self.path))
        before = _identity(_stat(self.path))
        self._replaced = False
        # Any read creates the log of a new file.
        self._writer = await self._connect("user_version")
        self._files = [before, *(_identity(_stat(path)) for path in self._paths[1:])]
        # Without shared memory, as on some network file systems, SQLite keeps neither log nor index.
        self._watch = overwritten.Watch(self.path) if self._files[2] else None
        for _ in range(READERS):
            self._readers.put_nowait(await self._connect("query_only=ON"))

    async def close_connection_pool(self) -> None:
        for connection in self._open:
            await connection.close()
        self._open.clear()
        if self._watch:
            self._watch.close()
        self._writer = self._watch = None
        self._files = []

    def is_replaced(self) -> bool:
        """Whether the file, its log or the log's index was replaced or removed, or whether something other than SQLite wrote
        into the file.

        What is written to such files is lost, and other processes already read new ones.
        """
        return self._look(thoroughly=True)

    def check_file(self) -> None:
        """Raises Unavailable if `is_replaced` (a few µs)."""
        if self._look():
            raise Unavailable(internal=f"{self.path} or its -wal or -shm was replaced, removed or overwritten while it was open")

    def _look(self, *, thoroughly: bool = False) -> bool:
        if self._replaced or not self._files:
            return self._replaced
        found = [_stat(path) for path in self._paths]
        if [_identity(each) for each in found] != self._files:
            self._replaced = True
        elif self._watch and found[0] and (thoroughly or self._watch.has_changed(found[0])) and self._watch.is_overwritten():
            self._replaced = True
            overwritten.mark(self.path)
        return self._replaced

    async def begin(self) -> aiosqlite.Connection:
        """The writer inside a new IMMEDIATE transaction. Raises Unavailable after waiting PATIENCE_SECONDS for the lock."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while not await self._try_to_begin():
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(internal="another process has held the SQLite write lock for too long")
            await asyncio.sleep(RETRY_SECONDS)
        return self._connected()

    async def end(self, *, commit: bool) -> None:
        """Commits or rolls back, and in every case leaves the writer free and out of any transaction."""
        writer = self._connected()
        try:
            if commit:
                with _telling("committing"):
                    await writer.execute_fetchall("COMMIT")
        finally:
            with contextlib.suppress(sqlite3.Error):
                if not commit or writer.in_transaction:
                    # Runs in the connection's thread: the BEGIN of a cancelled caller may still be queued there.
                    await writer._execute(_roll_back, writer._conn)  # type: ignore[no-untyped-call]  # aiosqlite has no types for it
            self.writer_lock.release()

    def transaction(
        self, transaction_type: TransactionType = TransactionType.immediate, allow_nested: bool = True
    ) -> WriteTransaction:
        return WriteTransaction(self, transaction_type, allow_nested)

    async def _try_to_begin(self) -> bool:
        self.check_file()
        await self.writer_lock.acquire()
        try:
            await self._connected().execute_fetchall("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            self.writer_lock.release()
            if is_busy(error):
                return False
            with _telling("beginning"):
                raise
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self.end(commit=False)))
            raise

    async def _connect(self, *pragmas: str) -> aiosqlite.Connection:
        try:
            connection = await aiosqlite.connect(**self.connection_kwargs)
            self._open.append(connection)
            connection.row_factory = dict_factory  # type: ignore[assignment]  # Piccolo wants dictionaries, aiosqlite types Row
            for pragma in (*PRAGMAS, *pragmas):
                await connection.execute_fetchall(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise Unavailable(internal=f"{self.path}: {error}") from error
        return connection

    def _connected(self) -> aiosqlite.Connection:
        if self._writer is None:
            raise Unavailable(internal="the SQLite connections are closed")
        return self._writer

    async def _run_in_new_connection(
        self, query: str, args: Sequence[Any] | None = None, query_type: str = "generic", table: Any = None
    ) -> Any:
        self._connected()
        self.check_file()
        try:
            async with asyncio.timeout(deadline.left()):
                reader = await self._readers.get()
        except TimeoutError:
            raise Unavailable(internal="no SQLite reader became free in time") from None
        reading = _rows(reader, query, args, deadline.until(), as_tuples=AS_TUPLES.get())
        try:
            # Shielded, so that a reader whose caller was cancelled returns to the pool only when its statement has ended. In a
            # transaction this is not needed: the ROLLBACK waits in the writer's thread behind the statement.
            return await asyncio.shield(asyncio.ensure_future(reading))
        finally:
            self._readers.put_nowait(reader)

    async def _run_in_existing_connection(
        self, connection: Any, query: str, args: Sequence[Any] | None = None, query_type: str = "generic", table: Any = None
    ) -> Any:
        return await _rows(connection, query, args, as_tuples=AS_TUPLES.get())


async def _rows(
    connection: aiosqlite.Connection, query: str, args: Sequence[Any] | None, until: float | None = None, *, as_tuples: bool
) -> Any:
    with _telling("asking"):
        try:
            return await connection._execute(_all, connection._conn, query, args or (), until, as_tuples)  # type: ignore[no-untyped-call]  # aiosqlite has no types for it
        except sqlite3.OperationalError as error:
            if "readonly" in str(error):
                raise RuntimeError("a write outside database.transaction()") from error
            raise


def _all(connection: sqlite3.Connection, query: str, args: Sequence[Any], until: float | None, as_tuples: bool) -> list[Any]:
    """Runs in the connection's thread, until the deadline. The cursor is closed also when a row cannot be read: an open
    statement would keep the connection at an old snapshot."""
    if until is not None:
        connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        with contextlib.closing(connection.cursor()) as cursor:
            if as_tuples:
                cursor.row_factory = None
            return cursor.execute(query, args).fetchall()
    finally:
        if until is not None:
            connection.set_progress_handler(None, STEPS)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Maps an error of the file to Unavailable; any other error is a bug in the statement and is raised unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY not in UNAVAILABLE:
            raise
        raise Unavailable(internal=f"{what}: {error}") from error


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  # twice as fast as a Path, and asked for each batch
    except OSError:
        return None


def _identity(found: os.stat_result | None) -> tuple[int, int] | None:
    return (found.st_dev, found.st_ino) if found else None


def _create_private(path: Path) -> None:
    """The file holds digests and e-mail addresses: only its owner may read it, its WAL included (SQLite copies the mode)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
