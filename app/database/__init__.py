"""The database of this process: SQLite or PostgreSQL, the same functions for both.

Piccolo's tables belong to one database at a time, so a process has one; a second node is another process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from piccolo.engine.base import BaseTransaction
from piccolo.querystring import QueryString
from piccolo.table import TABLE_REGISTRY

from app import runtime
from app.database.deadline import within as within
from app.database.postgres import PooledPostgresEngine
from app.database.sqlite import AS_TUPLES, PersistentSQLiteEngine
from app.settings import Settings

Engine = PersistentSQLiteEngine | PooledPostgresEngine

_frozen: int | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a runtime; its connections are opened by `open_pools`."""

    engine: Engine

    @classmethod
    def of(cls, settings: Settings) -> Database:
        path = settings.sqlite_path
        return cls(PersistentSQLiteEngine(path) if path else PooledPostgresEngine(settings.database_url))


def engine() -> Engine:
    """The engine of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Database).engine


def is_sqlite() -> bool:
    return isinstance(engine(), PersistentSQLiteEngine)


def was_replaced() -> bool:
    """Whether SQLite's file, or one of the two beside it, was replaced or removed while this process had it open.

    The process can only end, and without closing the database: SQLite would write what the old log holds into the new file.
    """
    found = engine()
    return isinstance(found, PersistentSQLiteEngine) and found.is_replaced()


async def open_pools() -> None:
    """Raises Unavailable when SQLite's file cannot be opened; PostgreSQL is first asked when it is first needed."""
    # Piccolo's tables look their engine up through this module when they are first used.
    os.environ["PICCOLO_CONF"] = "app.database.piccolo_conf"
    await engine().start_connection_pool()


async def close_pools() -> None:
    await engine().close_connection_pool()
    for table in TABLE_REGISTRY:
        # Piccolo remembers it for good; the next runtime has another one.
        table._meta._db = None


def transaction() -> BaseTransaction:
    """`async with transaction():` everything inside is written at once or not at all; inner uses join the outer one.

    Writes happen only in here. SQLite begins IMMEDIATE under the process's writer lock, PostgreSQL is READ COMMITTED.
    Raises Unavailable when the database cannot be asked or others hold its lock for too long.
    """
    return engine().transaction()


def in_transaction() -> bool:
    """Whether this task is inside a transaction already, so that another one would join it."""
    return engine().transaction_exists()


async def fetch(template: str, *arguments: Any) -> list[dict[str, Any]]:
    """Rows of one SQL statement; `{}` stands for an argument, as in Piccolo's querystrings."""
    rows = await engine().run_querystring(QueryString(template, *arguments))
    # SQLite's are dictionaries already, and copying thousands of them would hold up the event loop.
    return [row if type(row) is dict else dict(row) for row in rows or ()]


async def tuples(template: str, *arguments: Any) -> list[Sequence[Any]]:
    """The same with each row as the values of its columns, in their order: for statements that answer thousands of rows."""
    token = AS_TUPLES.set(True)
    try:
        rows: list[Sequence[Any]] = await engine().run_querystring(QueryString(template, *arguments))
    finally:
        AS_TUPLES.reset(token)
    return rows or []


async def now() -> int:
    """The database's clock, in microseconds; inside a transaction it goes on, it is not the transaction's start."""
    if _frozen is not None:
        return _frozen
    if is_sqlite():
        return time.time_ns() // 1000
    rows = await fetch("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now")
    return int(rows[0]["now"])


async def server() -> str:
    """Another text once another PostgreSQL server answers: a standby that took over, or one that was put back to an earlier
    time. On SQLite always the same."""
    if is_sqlite():
        return ""
    # Either has begun at a moment of its own, to the microsecond.
    return str((await fetch("SELECT pg_postmaster_start_time()::text AS began"))[0]["began"])


def freeze(instant: int | None) -> None:
    """For tests, and for the demo's past: `now()` answers this until it is called with None."""
    global _frozen
    _frozen = instant


def frozen() -> int | None:
    """What `freeze` set: the parameter that verification binds in its statements."""
    return _frozen
