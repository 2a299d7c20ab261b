"""PostgreSQL for Piccolo: a pool that raises Unavailable when the server cannot be reached."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from app.database import deadline
from app.errors import Unavailable

POOL_SIZE = 10
ACQUIRE_SECONDS = 2.0
CLOSE_SECONDS = 5.0
# asyncpg's own errors for a connection that is gone, a server that is starting or stopping, and a pool that is closed.
# It raises InternalClientError for a connection that the server closed between two statements.
GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
)
GIVEN_UP = (asyncpg.AdminShutdownError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.TooManyConnectionsError)
# The database was dropped or renamed, or the password was changed.
REFUSED = (asyncpg.InvalidCatalogNameError, asyncpg.InvalidSchemaNameError, asyncpg.InvalidAuthorizationSpecificationError)
READ_ONLY = asyncpg.ReadOnlySQLTransactionError
UNAVAILABLE = (*GONE, *GIVEN_UP, *REFUSED, asyncpg.DeadlockDetectedError, READ_ONLY)
# A caller that gives up closes the connection: an unresponsive server would answer neither a ROLLBACK nor a cancel
# request. A responsive one rolls back as soon as the connection is gone.
GIVING_UP = (asyncio.CancelledError, TimeoutError)
# Required settings of a connection, set after connecting: poolers refuse or drop most of them as start-up parameters.
SESSION_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}
# How often the server checks that the client of a running statement is still connected (PostgreSQL 14 and newer).
CHECK_INTERVAL = ("client_connection_check_interval", "1s")
# A connection idle for this long is asked again whether its server still accepts writes.
TRUSTED_SECONDS = 1.0
# Prepared statements of another client, or missing ones: a pooler shares server connections between transactions.
POOLED = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
POOLED_TEXT = "a pooler in transaction mode lies between Keydesk and PostgreSQL: use its session mode, or no pooler"


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """Keeps the settings made by `settle`, and knows when its server was last seen to accept writes."""

    __slots__ = ("asked_at",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked_at = time.monotonic()

    def get_reset_query(self) -> str:
        """No reset: it would undo those settings, and nothing else here outlives a transaction."""
        return ""

    async def takes_writes(self) -> bool:
        """Whether its server accepts writes, cached for TRUSTED_SECONDS. A standby or a demoted primary does not:
        its data may be stale."""
        if time.monotonic() - self.asked_at < TRUSTED_SECONDS:
            return True
        if await self.fetchval("SELECT current_setting('transaction_read_only')", timeout=ACQUIRE_SECONDS) == "on":
            return False
        self.asked_at = time.monotonic()
        return True


async def settle(connection: Any, **changed: str) -> None:
    """Applies the settings to a new connection. Raises Unavailable if they have no effect."""
    checked = (CHECK_INTERVAL,) if connection.get_server_version()[0] >= 14 else ()
    wanted = SESSION_SETTINGS | dict(checked) | changed
    assign = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in wanted.items())
    await connection.execute(f"SELECT {assign}")
    shown = await connection.fetchval("SELECT current_setting('statement_timeout')")
    if shown.removesuffix("ms").removesuffix("s") != wanted["statement_timeout"].removesuffix("ms").removesuffix("s"):
        raise Unavailable(internal=POOLED_TEXT)


class PooledTransaction(PostgresTransaction):
    """READ COMMITTED on a pooled connection; nested use joins the outer one; a lost connection is Unavailable."""

    __slots__ = ()

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        try:
            self.connection = await acquire(self.engine)
        except UNAVAILABLE as error:
            raise Unavailable(internal=repr(error)) from error
        try:
            self.transaction = self.connection.transaction(isolation="read_committed")
            await self.transaction.start()
        except BaseException as error:
            await _give_back(self.engine, self.connection)
            raise _translated(error) from error
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: Any, exception: Any, traceback: Any) -> bool:
        if self._parent is not None:
            return False
        self.engine.current_transaction.reset(self.context)
        if exception is not None and isinstance(exception.__cause__ or exception, (*GIVING_UP, READ_ONLY)):
            self.connection.terminate()
        await asyncio.shield(asyncio.ensure_future(self._end(commit=exception is None)))
        return False

    async def _end(self, *, commit: bool) -> None:
        try:
            await (self.transaction.commit() if commit else self.transaction.rollback())
        except UNAVAILABLE as error:
            if commit:
                raise Unavailable(internal=repr(error)) from error
        finally:
            await _give_back(self.engine, self.connection)


class PooledPostgresEngine(PostgresEngine):
    """One pool; connections are opened on demand, so a node recovers when its server comes back."""

    __slots__ = ()

    def __init__(self, dsn: str) -> None:
        config = {
            "dsn": dsn,
            "server_settings": {"application_name": "keydesk"},
            "timeout": ACQUIRE_SECONDS,
            "connection_class": Connection,
            # Of several hosts, the one that accepts writes; none if all are read-only.
            "target_session_attrs": "read-write",
        }
        super().__init__(config=config)

    async def check_version(self) -> None:
        """Piccolo would connect in the constructor; `/readyz` reports the same, later and in more detail."""

    async def start_connection_pool(self, **kwargs: Any) -> None:
        self.pool = await asyncpg.create_pool(**self.config, min_size=0, max_size=POOL_SIZE, command_timeout=35, init=settle)

    async def close_connection_pool(self) -> None:
        if self.pool:
            pool, self.pool = self.pool, None
            # When this gives up, for a server that does not answer, the pool drops its connections.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await pool.close()

    def transaction(self, allow_nested: bool = True) -> PooledTransaction:
        return PooledTransaction(self, allow_nested)

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> Any:
        connection = await acquire(self)
        try:
            return await connection.fetch(query, *(args or ()), timeout=deadline.left())
        except (*GIVING_UP, READ_ONLY):
            connection.terminate()
            raise
        finally:
            await _give_back(self, connection)

    async def run_querystring(self, querystring: Any, in_pool: bool = True) -> Any:
        try:
            return await super().run_querystring(querystring, in_pool)
        except UNAVAILABLE as error:
            raise Unavailable(internal=repr(error)) from error
        except POOLED as error:
            raise Unavailable(internal=POOLED_TEXT) from error


async def acquire(engine: PostgresEngine) -> Any:
    """A pooled connection to a server that accepts writes, within ACQUIRE_SECONDS. Raises Unavailable if there is none."""
    if engine.pool is None:
        raise Unavailable(internal="the PostgreSQL pool is closed")
    connection = await engine.pool.acquire(timeout=ACQUIRE_SECONDS)
    try:
        if await connection.takes_writes():
            return connection
        # Idle connections lead to the same server; each is reconnected when it is next acquired.
        await engine.pool.expire_connections()
        raise Unavailable(internal="the PostgreSQL server only reads")
    except BaseException:
        connection.terminate()
        await _give_back(engine, connection)
        raise


async def _give_back(engine: PostgresEngine, connection: Any) -> None:
    if engine.pool is None:
        return
    # The commit is done: the pool handles a connection that is lost afterwards.
    with contextlib.suppress(*UNAVAILABLE):
        await engine.pool.release(connection)


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, POOLED):
        return Unavailable(internal=POOLED_TEXT)
    return Unavailable(internal=repr(error)) if isinstance(error, UNAVAILABLE) else error
