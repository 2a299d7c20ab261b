"""Database access of the hot path: one indexed read and one appended row for a batch of requests.

Piccolo builds a query in 150 µs, which here would be most of a request, so these statements are prepared once. On
SQLite both run in the event loop's thread as long as the disk is fast. On PostgreSQL each is one round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

import asyncpg

from app import database
from app.database.hot_sqlite import HotSQLite
from app.database.postgres import POOLED, UNAVAILABLE, PooledPostgresEngine, settle
from app.database.sqlite import PersistentSQLiteEngine
from app.database.statements import Lookup, Upsert, postgres_select, postgres_upserts
from app.errors import Unavailable

Row = Sequence[Any]
T = TypeVar("T")
# A batch is given up after 0.4 s (`verification.batch`); PostgreSQL gives its statements up no later, locks a little earlier.
STATEMENT_TIMEOUT: Final = "400ms"
LOCK_TIMEOUT: Final = "300ms"
GIVEN_UP_SECONDS: Final = 0.4
# For a server that no longer answers: a fold that waited for it forever would keep everything from being counted.
SILENT_SECONDS: Final = 2.0
# A statement of the next moment may succeed.
MOMENTARY: Final = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
# The values of `transaction_read_only` in PostgreSQL.
READ_ONLY: Final = "on"


class GivenUp(Unavailable):
    """A statement or a lock took longer than a verification may wait. The next attempt may succeed."""


class Hot(Protocol):
    """The database operations of verification. Up to `batches` of them may run at once."""

    batches: int

    async def open(self) -> None: ...

    async def reserve(self) -> None:
        """Prepares for a full disk. For a server's start only: a command that did so while a server runs would make it miss that
        its file is overwritten soon afterwards (`overwritten.Watch`)."""
        ...

    async def close(self) -> None: ...

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        """Returns all rows. Raises Unavailable."""
        ...

    async def append(self, uses: str) -> None:
        """Commits a row of the usage log. If it raises Unavailable, the outcome is unknown, and it must not be retried."""
        ...

    async def is_log_empty(self) -> bool: ...

    async def logged(self, *, merged: bool, most: int, after: int = 0) -> list[Row]:
        """Id and uses of the usage log's oldest rows, merged ones or appended ones, with ids over `after`. Raises Unavailable."""
        ...

    async def write(self, upserts: list[Upsert], gone: Sequence[int] = (), added: Sequence[str] = ()) -> bool:
        """Commits the upserts, the removal of the log's rows `gone` and the merged rows `added`, or nothing of it.

        Returns False, with nothing changed, if a row of `gone` does not exist: another process has merged or counted it. Raises
        Unavailable: then the outcome is unknown.
        """
        ...


def open_for(engine: PersistentSQLiteEngine | PooledPostgresEngine) -> Hot:
    """The hot path into the bound database."""
    return HotSQLite(engine) if isinstance(engine, PersistentSQLiteEngine) else HotPostgres(engine)


class HotPostgres:
    """A few separate connections; an append is one statement, so that it is one round trip and one transaction.

    asyncpg's pool starts a task and asks the server to reset each returned connection, which here costs more than the
    statements; these connections run nothing else and have nothing to reset.
    """

    # While some wait for the disk or the network, others are read.
    batches = 3
    # One more than the batches, for reading a gateway's token at the same time.
    connections = 4

    def __init__(self, engine: PooledPostgresEngine) -> None:
        self._engine = engine

    async def open(self) -> None:
        self._idle: list[asyncpg.Connection] = []
        self._free = asyncio.Semaphore(self.connections)

    async def reserve(self) -> None:
        """Nothing to do: PostgreSQL's disk is its own affair."""

    async def close(self) -> None:
        # Not `close`, which waits for the answer of a server that may be gone.
        while self._idle:
            self._idle.pop().terminate()

    async def read(self, lookup: Lookup, *lists: list[bytes]) -> list[Row]:
        rows = await self._fetch("reading", postgres_select(lookup), database.frozen(), *lists)
        return [] if rows[0][0] is None else rows

    async def append(self, uses: str) -> None:
        await self._fetch("counting", "INSERT INTO usage_log (merged, uses) VALUES (0, $1)", uses)

    async def is_log_empty(self) -> bool:
        return not await self._fetch("reading", "SELECT 1 FROM usage_log LIMIT 1")

    async def logged(self, *, merged: bool, most: int, after: int = 0) -> list[Row]:
        statement = "SELECT id, uses FROM usage_log WHERE merged = $1 AND id > $2 ORDER BY id LIMIT $3"
        return await self._fetch("reading", statement, int(merged), after, most)

    async def write(self, upserts: list[Upsert], gone: Sequence[int] = (), added: Sequence[str] = ()) -> bool:
        columns = [list(column) for upsert in upserts for column in zip(*upsert.rows, strict=True)]

        async def all_or_nothing(connection: asyncpg.Connection) -> bool:
            transaction = connection.transaction()
            await transaction.start()
            if await connection.execute("DELETE FROM usage_log WHERE id = ANY($1)", gone) != f"DELETE {len(gone)}":
                await transaction.rollback()
                return False
            if upserts:
                await connection.execute(postgres_upserts(tuple(upserts)), *columns)
            if added:
                await connection.execute("INSERT INTO usage_log (merged, uses) SELECT 1, unnest($1::text[])", added)
            await transaction.commit()
            return True

        if gone or added:
            return await self._run("counting", all_or_nothing)
        await self._fetch("counting", postgres_upserts(tuple(upserts)), *columns)
        return True

    async def _fetch(self, what: str, statement: str, *arguments: Any) -> list[Row]:
        async def fetch(connection: asyncpg.Connection) -> list[Row]:
            rows: list[Row] = await connection.fetch(statement, *arguments)
            if rows and rows[0][-1] == READ_ONLY:
                raise Unavailable(internal="the PostgreSQL server only reads")
            return rows

        return await self._run(what, fetch)

    async def _run(self, what: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        await self._free.acquire()
        place_kept = 0.0
        try:
            try:
                connection = await self._connection()
            except (*UNAVAILABLE, *POOLED) as error:
                place_kept = GIVEN_UP_SECONDS
                raise Unavailable(internal=f"connecting: {error!r}") from error
            try:
                result = await work(connection)
            except BaseException as error:
                # Its state is unknown, so it is not reused. The server notices the closed connection when its own
                # limit for the statement has passed; until then its slot stays taken, so that no more connections are
                # ever open than there are slots.
                place_kept = GIVEN_UP_SECONDS
                connection.terminate()
                if isinstance(error, UNAVAILABLE):
                    kind = GivenUp if isinstance(error, MOMENTARY) else Unavailable
                    raise kind(internal=f"{what}: {error!r}") from error
                raise
            self._idle.append(connection)
            return result
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
        connection = await asyncpg.connect(**self._engine.config, statement_cache_size=200, command_timeout=SILENT_SECONDS)
        try:
            await settle(
                connection,
                lock_timeout=LOCK_TIMEOUT,
                statement_timeout=STATEMENT_TIMEOUT,
                # A node that stops in the middle of a fold must not keep the log's rows from the others.
                idle_in_transaction_session_timeout=STATEMENT_TIMEOUT,
            )
        except BaseException:
            connection.terminate()
            raise
        return connection
