"""PostgreSQL for Piccolo: a pool that says Unavailable when the server cannot be asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from app.errors import Unavailable

POOL_SIZE = 10
ACQUIRE_SECONDS = 2.0
# asyncpg's own errors for a connection that is gone, a server that is starting or stopping, and a pool that is closed.
# InternalClientError is what it says of a connection that the server ended between two statements.
GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
)
GIVEN_UP = (asyncpg.AdminShutdownError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.TooManyConnectionsError)
# A database that was dropped or renamed, a password that was changed.
REFUSED = (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError)
UNAVAILABLE = (*GONE, *GIVEN_UP, *REFUSED, asyncpg.DeadlockDetectedError, asyncpg.ReadOnlySQLTransactionError)
# Whoever gives up waiting lets the connection go: a server that has fallen silent answers neither a ROLLBACK nor a request to
# cancel, and would be waited for. One that lives rolls back as soon as the connection is gone.
GIVING_UP = (asyncio.CancelledError, TimeoutError)
SERVER_SETTINGS = {
    "application_name": "keydesk",
    "default_transaction_isolation": "read committed",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}


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
        if exception is not None and isinstance(exception.__cause__ or exception, GIVING_UP):
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
    """One pool; its connections are made when they are needed, so a node whose server comes back mends itself."""

    __slots__ = ()

    def __init__(self, dsn: str) -> None:
        super().__init__(config={"dsn": dsn, "server_settings": SERVER_SETTINGS, "timeout": ACQUIRE_SECONDS})

    async def check_version(self) -> None:
        """Piccolo would connect while the engine is being made; `readyz` tells the same later and better."""

    async def start_connection_pool(self, **kwargs: Any) -> None:
        self.pool = await asyncpg.create_pool(**self.config, min_size=0, max_size=POOL_SIZE, command_timeout=35)

    async def close_connection_pool(self) -> None:
        if self.pool:
            pool, self.pool = self.pool, None
            await pool.close()

    def transaction(self, allow_nested: bool = True) -> PooledTransaction:
        return PooledTransaction(self, allow_nested)

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> Any:
        connection = await acquire(self)
        try:
            return await connection.fetch(query, *(args or ()))
        except GIVING_UP:
            connection.terminate()
            raise
        finally:
            await _give_back(self, connection)

    async def run_querystring(self, querystring: Any, in_pool: bool = True) -> Any:
        try:
            return await super().run_querystring(querystring, in_pool)
        except UNAVAILABLE as error:
            raise Unavailable(internal=repr(error)) from error


async def acquire(engine: PostgresEngine) -> Any:
    """A pooled connection, within ACQUIRE_SECONDS."""
    if engine.pool is None:
        raise Unavailable(internal="the PostgreSQL pool is closed")
    return await engine.pool.acquire(timeout=ACQUIRE_SECONDS)


async def _give_back(engine: PostgresEngine, connection: Any) -> None:
    if engine.pool is None:
        return
    # What was committed stays committed: a connection that is lost afterwards is the pool's own affair.
    with contextlib.suppress(*UNAVAILABLE):
        await engine.pool.release(connection)


def _translated(error: BaseException) -> BaseException:
    return Unavailable(internal=repr(error)) if isinstance(error, UNAVAILABLE) else error
