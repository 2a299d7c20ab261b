"""The hot path on SQLite: reads and commits run in the event loop's thread, because a hop to another one costs more than either
(read: 8 µs; commit on a fast disk: 150 µs). While the disk is slow, commits run in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from app import database
from app.database.sqlite import PRAGMAS, RETRY_SECONDS, PersistentSQLiteEngine, is_busy
from app.database.statements import Lookup, Upsert, padded, sqlite_select, sqlite_upsert
from app.errors import Unavailable

Row = Sequence[Any]
# Counts touch the same few hundred pages over and over: a checkpoint every 4 MB would write each of them again and again
# (a fifth of a count's cost); every 64 MB it is next to nothing.
CHECKPOINT_PAGES: Final = 16_000
LOG_MEGABYTES: Final = 64
_APPEND: Final = "INSERT INTO usage_log (merged, uses) VALUES (?, ?)"
_DELETE: Final = "DELETE FROM usage_log WHERE id IN (SELECT value FROM json_each(?))"
# A commit that usually takes longer than this waits for the disk in a thread.
SLOW_SECONDS: Final = 0.002
# Rows of a statement: a new text for every number would be compiled each time.
_ROWS: Final = (128, 32, 8, 4, 2, 1)


class HotSQLite:
    """Two separate connections: one that only reads, one that writes under the process's writer lock."""

    batches = 1

    def __init__(self, engine: PersistentSQLiteEngine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")
        # What commits usually take: the mean of the last few.
        self._usual_seconds = 0.0

    async def open(self) -> None:
        self._reader = _connect(self._engine.path, "query_only=ON")
        # Some builds of SQLite write zeros over what is deleted: every row of the log would be written twice.
        self._writer = _connect(self._engine.path, f"wal_autocheckpoint={CHECKPOINT_PAGES}", "secure_delete=FAST")

    async def reserve(self) -> None:
        """Checkpoints everything, so that the file has room for all rows: on a full disk that needs no more space later."""
        _empty_log(self._writer)

    async def close(self) -> None:
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        lengthened = [padded(values) for values in lists]
        statement = sqlite_select(lookup, tuple(len(values) for values in lengthened))
        frozen = database.frozen()
        now = _machine_now() if frozen is None else frozen
        return self._select(statement, now, *(value for values in lengthened for value in values))

    async def append(self, uses: str) -> None:
        await self._commit([], lambda: self._writer.execute(_APPEND, (0, uses)))

    async def is_log_empty(self) -> bool:
        return not self._select("SELECT 1 FROM usage_log LIMIT 1")

    async def logged(self, *, merged: bool, most: int, after: int = 0) -> list[Row]:
        # Folds read and write many times in a row: in between, verifications have their turn.
        await asyncio.sleep(0)
        statement = "SELECT id, uses FROM usage_log WHERE merged = ? AND id > ? ORDER BY id LIMIT ?"
        return self._select(statement, int(merged), after, most)

    async def write(self, upserts: list[Upsert], gone: Sequence[int] = (), added: Sequence[str] = ()) -> bool:
        staged: list[tuple[str, Sequence[Any]]] = [(_APPEND, (1, uses)) for uses in added]
        for upsert in upserts:
            staged += _statements(upsert)
        await asyncio.sleep(0)
        return await self._commit(staged, lambda: self._writer.execute("COMMIT"), gone)

    def _select(self, statement: str, *arguments: Any) -> list[Row]:
        self._engine.check_file()
        try:
            # Fetched to the end: an open cursor would keep an old snapshot and with it a revoked key.
            return self._reader.execute(statement, arguments).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(internal=f"reading: {error}") from error

    async def _commit(self, staged: list[tuple[str, Sequence[Any]]], last: Callable[[], object], gone: Sequence[int] = ()) -> bool:
        while (done := await self._try_to_commit(staged, last, gone)) is None:  # noqa: ASYNC110 - no event from other processes
            # The lock is released in between, so that a task of this process that holds the file's lock can finish.
            await asyncio.sleep(RETRY_SECONDS)
        return done

    async def _try_to_commit(
        self, staged: list[tuple[str, Sequence[Any]]], last: Callable[[], object], gone: Sequence[int]
    ) -> bool | None:
        """None if another process holds the file's lock, False if a row of `gone` does not exist: nothing was written."""
        async with self._engine.writer_lock:
            self._engine.check_file()
            if (staged or gone) and not _begin(self._writer):
                return None
            if not _stage(self._writer, staged, gone):
                return False
            if self._usual_seconds <= SLOW_SECONDS:
                return self._run(last) or None
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._run, last)
            try:
                # Shielded: a cancelled caller must not release the lock while the writer is still running.
                return await asyncio.shield(work) or None
            except asyncio.CancelledError:
                while not work.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([work])
                raise

    def _run(self, last: Callable[[], object]) -> bool:
        """Waits for the disk. On a full disk the write-ahead log may be what fills it: it is checkpointed, and the next batch has
        room. This batch was not written. False if another process holds the file's lock."""
        began = time.perf_counter()
        try:
            with _or_rolled_back(self._writer):
                last()
        except Unavailable as failure:
            cause = failure.__cause__
            if cause is not None and is_busy(cause):
                return False
            if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                _empty_log(self._writer)
            raise
        finally:
            self._usual_seconds += (time.perf_counter() - began - self._usual_seconds) / 8
        return True


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


def _statements(upsert: Upsert) -> Iterator[tuple[str, Sequence[Any]]]:
    start = 0
    for size in _ROWS:
        while len(upsert.rows) - start >= size:
            yield sqlite_upsert(upsert, size), [value for row in upsert.rows[start : start + size] for value in row]
            start += size


def _stage(connection: sqlite3.Connection, staged: list[tuple[str, Sequence[Any]]], gone: Sequence[int]) -> bool:
    """Only in memory (3 µs a row), so there is no thread switch after every statement. False, with nothing staged, if a row of
    `gone` does not exist."""
    with _or_rolled_back(connection):
        if gone and connection.execute(_DELETE, (json.dumps(gone),)).rowcount != len(gone):
            connection.execute("ROLLBACK")
            return False
        for statement, values in staged:
            connection.execute(statement, values)
    return True


def _empty_log(connection: sqlite3.Connection) -> None:
    """Checkpoints the write-ahead log, as far as no reader still needs it."""
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
