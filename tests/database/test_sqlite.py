"""The SQLite engine: persistent connections, one writer, and nothing left open after a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from app import database
from app.database import sqlite
from app.database.sqlite import PRAGMAS, PersistentSQLiteEngine
from app.errors import Unavailable
from tests.conftest import KIND

pytestmark = pytest.mark.skipif(KIND != "sqlite", reason="about the SQLite engine")


async def test_every_connection_has_the_pragmas_that_durability_needs(db: None) -> None:
    engine = database.engine()
    assert isinstance(engine, PersistentSQLiteEngine)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 0}
    assert {pragma.split("=")[0] for pragma in PRAGMAS} >= wanted.keys()
    for connection in engine._open:
        for name, value in wanted.items():
            rows = await connection.execute_fetchall(f"PRAGMA {name}")
            assert list(next(iter(rows)).values()) == [value]  # type: ignore[attr-defined]


async def test_a_write_outside_a_transaction_raises(db: None) -> None:
    with pytest.raises(RuntimeError, match="outside"):
        await database.fetch("DELETE FROM throttle")


async def test_a_faulty_statement_is_a_bug_and_not_an_outage(db: None) -> None:
    for wrong in ("SELECT nonsense", "SELECT 'x' LIKE '" + "x" * 60_000 + "'"):
        with pytest.raises(sqlite3.OperationalError):
            await database.fetch(wrong)
        with pytest.raises(sqlite3.OperationalError):
            async with database.transaction():
                await database.fetch(wrong)
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


async def test_a_corrupt_or_locked_file_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE_SECONDS", 0.0)
    path = tmp_path / "other.db"
    engine = PersistentSQLiteEngine(path)
    await engine.start_connection_pool()
    try:
        async with engine.transaction():
            await engine._run_in_existing_connection(engine._connected(), "CREATE TABLE t AS SELECT 1 AS x")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await engine.begin()
            other.execute("COMMIT")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path.write_bytes(path.read_bytes()[:4096].ljust(8192, b"x"))
        with pytest.raises(Unavailable):
            await engine._run_in_new_connection("SELECT * FROM t")
    finally:
        await engine.close_connection_pool()


async def test_two_hundred_concurrent_read_then_write_transactions_all_succeed(db: None) -> None:
    async def add_one() -> None:
        async with database.transaction():
            before = (await database.fetch("SELECT revision FROM installation WHERE id = 1"))[0]["revision"]
            await asyncio.sleep(0)
            await database.fetch("UPDATE installation SET revision = {} WHERE id = 1", before + 1)

    start = (await database.fetch("SELECT revision FROM installation WHERE id = 1"))[0]["revision"]
    threads = threading.active_count()
    await asyncio.gather(*(add_one() for _ in range(200)))
    assert (await database.fetch("SELECT revision FROM installation WHERE id = 1"))[0]["revision"] == start + 200
    # Other tasks may end meanwhile, such as those of applications of earlier tests.
    assert threading.active_count() <= threads


async def test_a_cancelled_transaction_writes_nothing_and_leaves_the_writer_free(db: None) -> None:
    for delay in (0, 0.0005, 0.001, 0.002, 0.004):
        inside = asyncio.Event()

        async def linger(inside: asyncio.Event = inside) -> None:
            async with database.transaction():
                inside.set()
                await database.fetch("UPDATE installation SET audit_length = 99 WHERE id = 1")
                await asyncio.sleep(10)

        task = asyncio.create_task(linger())
        await asyncio.wait_for(inside.wait(), 5)
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not database.engine().transaction_exists()
        async with asyncio.timeout(5), database.transaction():
            rows = await database.fetch("SELECT audit_length FROM installation WHERE id = 1")
        assert rows == [{"audit_length": 0}]


async def test_an_error_inside_rolls_back_what_was_written_before_it(db: None) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await database.fetch("UPDATE installation SET audit_length = 99 WHERE id = 1")
            _ = 1 // 0
    assert await database.fetch("SELECT audit_length FROM installation WHERE id = 1") == [{"audit_length": 0}]


async def test_a_change_that_is_cancelled_while_it_begins_leaves_no_transaction_open(tmp_path: Path) -> None:
    engine = PersistentSQLiteEngine(tmp_path / "keydesk.db")
    await engine.start_connection_pool()
    try:
        busy = threading.Event()
        writer = engine._connected()
        occupied = asyncio.ensure_future(writer._execute(busy.wait))
        await asyncio.sleep(0)
        beginning = asyncio.create_task(engine.begin())
        while not engine.writer_lock.locked():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        beginning.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        busy.set()
        await occupied
        with pytest.raises(asyncio.CancelledError):
            await beginning
        assert not writer.in_transaction and not engine.writer_lock.locked()
        await engine.begin()
        await engine.end(commit=True)
    finally:
        await engine.close_connection_pool()
