"""A database file overwritten by something other than SQLite: detected, and checked before it is used again."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.database import sqlite
from app.database.sqlite import PersistentSQLiteEngine
from app.errors import StartRefused, Unavailable

SIZE = 3_000


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[PersistentSQLiteEngine]:
    found = PersistentSQLiteEngine(tmp_path / "keydesk.db")
    await found.start_connection_pool()
    await _write(found, "CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE INDEX i ON t (x)")
    yield found
    await found.close_connection_pool()


async def _write(engine: PersistentSQLiteEngine, statements: str) -> None:
    async with engine.transaction():
        for statement in statements.split(";"):
            await engine._run_in_existing_connection(engine._connected(), statement)


def _elsewhere(path: str, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as other:
        other.execute(statement).fetchall()


def _mark(engine: PersistentSQLiteEngine) -> Path:
    return Path(f"{engine.path}-overwritten")


@pytest.mark.parametrize("looked", ["by a batch", "by the server"])
@pytest.mark.parametrize("mode", ["none", "PASSIVE", "RESTART", "TRUNCATE"])
async def test_a_copy_over_the_file_is_detected_though_the_inode_stays(
    engine: PersistentSQLiteEngine, tmp_path: Path, mode: str, looked: str
) -> None:
    shutil.copyfile(engine.path, tmp_path / "copy.db")
    await _write(engine, f"INSERT INTO t (x) VALUES (randomblob({SIZE}))")
    if mode != "none":
        _elsewhere(engine.path, f"PRAGMA wal_checkpoint({mode})")
    await _write(engine, f"INSERT INTO t (x) VALUES (randomblob({SIZE}))")
    assert not engine.is_replaced()
    files = [os.stat(f"{engine.path}{end}").st_ino for end in ("", "-wal", "-shm")]
    shutil.copyfile(tmp_path / "copy.db", engine.path)
    assert files == [os.stat(f"{engine.path}{end}").st_ino for end in ("", "-wal", "-shm")]
    if looked == "by the server":
        assert engine.is_replaced()
    with pytest.raises(Unavailable):
        engine.check_file()
    with pytest.raises(Unavailable):
        await engine.begin()
    assert _mark(engine).exists()


async def test_checkpoints_log_restarts_and_vacuums_by_others_are_not_overwriting(engine: PersistentSQLiteEngine) -> None:
    over = threading.Event()
    modes = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")

    def others() -> None:
        for turn in range(80):
            with contextlib.suppress(sqlite3.OperationalError):
                _elsewhere(engine.path, "VACUUM" if turn % 8 == 7 else f"PRAGMA wal_checkpoint({modes[turn % 4]})")
        over.set()

    thread = threading.Thread(target=others)
    thread.start()
    while not over.is_set():
        with contextlib.suppress(Unavailable):
            await _write(engine, f"INSERT INTO t (x) VALUES (randomblob({SIZE})); DELETE FROM t WHERE id % 3 = 0")
        for _ in range(20):
            assert not engine._look() and not engine.is_replaced()
    thread.join()
    assert not _mark(engine).exists()


@pytest.mark.parametrize("fits", [True, False])
async def test_an_overwritten_file_is_used_again_only_if_it_is_intact(tmp_path: Path, fits: bool) -> None:
    path = tmp_path / "keydesk.db"
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (x); CREATE INDEX i ON t (x)")
        made.executemany("INSERT INTO t VALUES (?)", [(f"{number}" * 20,) for number in range(500)])
        made.commit()
    if not fits:
        content = bytearray(path.read_bytes())
        content[-4096:] = bytes(4096)
        path.write_bytes(content)
    mark = Path(f"{path}-overwritten")
    mark.touch()
    engine = PersistentSQLiteEngine(path)
    if fits:
        await engine.start_connection_pool()
        await engine.close_connection_pool()
        assert not mark.exists()
    else:
        before = path.read_bytes()
        with pytest.raises(StartRefused, match="was overwritten while a server had it open"):
            await engine.start_connection_pool()
        assert mark.exists() and path.read_bytes() == before


async def test_a_file_system_on_which_sqlite_keeps_no_log_is_used_without_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", tuple("journal_mode=DELETE" if "WAL" in pragma else pragma for pragma in sqlite.PRAGMAS))
    engine = PersistentSQLiteEngine(tmp_path / "keydesk.db")
    await engine.start_connection_pool()
    await _write(engine, "CREATE TABLE t (x)")
    assert not engine.is_replaced() and not Path(f"{engine.path}-shm").exists()
    await engine.close_connection_pool()


async def test_a_database_that_was_moved_away_leaves_no_mark_to_the_next_one(tmp_path: Path) -> None:
    engine = PersistentSQLiteEngine(tmp_path / "keydesk.db")
    _mark(engine).touch()
    await engine.start_connection_pool()
    await engine.close_connection_pool()
    assert not _mark(engine).exists()
