"""The database of this process: SQLite or PostgreSQL, the same functions for both.

Piccolo's tables belong to one database at a time, so a process has one; a second node is another process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol

from piccolo.engine.base import BaseTransaction
from piccolo.querystring import QueryString
from piccolo.table import TABLE_REGISTRY, Table

from app import runtime
from app.database.deadline import left as time_left
from app.database.deadline import within as within
from app.database.postgres import PooledPostgresEngine
from app.database.sqlite import AS_TUPLES, PersistentSQLiteEngine
from app.errors import Unavailable
from app.settings import Settings

Engine = PersistentSQLiteEngine | PooledPostgresEngine

_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_READ: Final = re.compile(r"\b(?:FROM|JOIN) +(\w+)")
# As long as a change waits for SQLite's lock.
SETTLE_SECONDS: Final = 5.0
# Long answers, such as streams, settle again after this time.
SHARED_SECONDS: Final = 5.0
_frozen: int | None = None


class Log(Protocol):
    """A log whose content must be in `tables` before these are read."""

    tables: frozenset[str]

    async def settle(self) -> None:
        """Moves what was appended before the call. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a runtime; its connections are opened by `open_pools`. `log` is settled before its tables are read."""

    engine: Engine
    log: Log | None = None


@dataclass(slots=True)
class _Settlement:
    """Shared by the reads of a `settled_once` block."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float | None = None


_settlement: ContextVar[_Settlement | None] = ContextVar("settlement", default=None)


class Statement(QueryString):
    """SQL with values as its arguments, and no columns or parts of SQL: its text is compiled once for each template."""

    def process_args(self, args: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return args, ()

    def compile_string(self, engine_type: str = "postgres") -> tuple[str, list[Any]]:
        return _compiled(self.template, len(self.args), engine_type), [*self.args]


def engine_of(settings: Settings) -> Engine:
    path = settings.sqlite_path
    return PersistentSQLiteEngine(path) if path else PooledPostgresEngine(settings.database_url)


def engine() -> Engine:
    """The engine of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Database).engine


def is_sqlite() -> bool:
    return isinstance(engine(), PersistentSQLiteEngine)


def was_replaced() -> bool:
    """Whether SQLite's file, or one of the two beside it, was replaced, removed or overwritten while this process had it open.

    The process can only end, and without closing the database: SQLite would write what the old log holds into the new file.
    """
    found = engine()
    return isinstance(found, PersistentSQLiteEngine) and found.is_replaced()


async def open_pools() -> None:
    """Raises Unavailable when SQLite's file cannot be opened; PostgreSQL is contacted at the first statement."""
    # Piccolo's tables look their engine up through this module when they are first used.
    os.environ["PICCOLO_CONF"] = "app.database.piccolo_conf"
    await engine().start_connection_pool()


async def close_pools() -> None:
    await engine().close_connection_pool()
    for table in TABLE_REGISTRY:
        # Piccolo caches the engine permanently; the next runtime has another one.
        table._meta._db = None


def transaction() -> BaseTransaction:
    """`async with transaction():` everything inside is committed together or not at all; nested uses join the outer one.

    Writes happen only in here. SQLite begins IMMEDIATE under the process's writer lock, PostgreSQL is READ COMMITTED.
    Raises Unavailable when the database cannot be reached or its lock is held too long by others.
    """
    return engine().transaction()


def in_transaction() -> bool:
    """Whether this task is already inside a transaction, which another `transaction()` would join."""
    return engine().transaction_exists()


@contextlib.contextmanager
def settled_once() -> Iterator[None]:
    """The log is settled at most once in SHARED_SECONDS for all reads in this block; they see everything answered before it began.

    A page reads the counters in several statements, and evaluating keys in hundreds: each would move the few requests that were
    answered meanwhile, which costs a busy node half its speed.
    """
    token = _settlement.set(_Settlement())
    try:
        yield
    finally:
        _settlement.reset(token)


async def settle() -> None:
    """Moves what the log contains into its tables; not inside a transaction. Raises Unavailable if that takes too long."""
    log, shared = runtime.current(Database).log, _settlement.get()
    if log is None or in_transaction():
        return
    if shared is None:
        await _settle(log)
        return
    async with shared.turn:
        began = time.monotonic()
        if shared.at is None or began - shared.at > SHARED_SECONDS:
            await _settle(log)
            shared.at = began


async def _settle(log: Log) -> None:
    left = time_left()
    try:
        async with asyncio.timeout(SETTLE_SECONDS if left is None else min(left, SETTLE_SECONDS)):
            await log.settle()
    except TimeoutError:
        raise Unavailable(internal="the usage log could not be counted in time") from None


async def fetch(template: str, *arguments: Any) -> list[dict[str, Any]]:
    """Rows of one SQL statement; `{}` stands for an argument, as in Piccolo's querystrings. If it reads tables of the log, that is
    settled first."""
    if _tables_read(template) & _logged_tables():
        await settle()
    return await peek(template, *arguments)


async def peek(template: str, *arguments: Any) -> list[dict[str, Any]]:
    """Like `fetch`, without settling the log: for polls, which see requests once they are counted anyway, and so cost verification
    nothing."""
    rows = await engine().run_querystring(Statement(template, *arguments))
    # SQLite's rows are dictionaries already, and copying thousands of them would hold up the event loop.
    return [row if type(row) is dict else dict(row) for row in rows or ()]


async def insert(table: type[Table], row: Mapping[str, Any]) -> None:
    """Inserts a row, given by column name. Piccolo's own insert takes longer to build its statement than the database to run it."""
    names, marks = ", ".join(row), ", ".join(["{}"] * len(row))
    await fetch(f"INSERT INTO {table._meta.tablename} ({names}) VALUES ({marks})", *row.values())


async def tuples(template: str, *arguments: Any) -> list[Sequence[Any]]:
    """Like `fetch`, with each row as a tuple of its columns in order: for statements that return thousands of rows."""
    if _tables_read(template) & _logged_tables():
        await settle()
    token = AS_TUPLES.set(True)
    try:
        rows: list[Sequence[Any]] = await engine().run_querystring(Statement(template, *arguments))
    finally:
        AS_TUPLES.reset(token)
    return rows or []


async def now() -> int:
    """The database's clock, in microseconds; inside a transaction it is the current time, not the transaction's start."""
    if _frozen is not None:
        return _frozen
    if is_sqlite():
        return time.time_ns() // 1000
    rows = await fetch(f"SELECT {_CLOCK} AS now")
    return int(rows[0]["now"])


def clock() -> tuple[str, tuple[int, ...]]:
    """`now` as an SQL expression with its arguments, for statements that return the time with their rows."""
    if _frozen is None and not is_sqlite():
        return _CLOCK, ()
    return "CAST({} AS bigint)", (time.time_ns() // 1000 if _frozen is None else _frozen,)


async def server() -> str:
    """An identifier that changes when another PostgreSQL server answers: a promoted standby, or one restored to an earlier
    time. Constant on SQLite."""
    if is_sqlite():
        return ""
    # Each server has its own start time, exact to the microsecond.
    return str((await fetch("SELECT pg_postmaster_start_time()::text AS began"))[0]["began"])


def freeze(instant: int | None) -> None:
    """For tests and for the demo's history: `now()` returns this until `freeze(None)` is called."""
    global _frozen
    _frozen = instant


def frozen() -> int | None:
    """The instant set by `freeze`, which verification binds as a parameter of its statements."""
    return _frozen


def _logged_tables() -> frozenset[str]:
    log = runtime.current(Database).log
    return frozenset() if log is None else log.tables


@lru_cache(maxsize=2_048)
def _tables_read(template: str) -> frozenset[str]:
    return frozenset(_READ.findall(template))


@lru_cache(maxsize=512)
def _compiled(template: str, arguments: int, engine_type: str) -> str:
    return QueryString(template, *[None] * arguments).compile_string(engine_type)[0]
