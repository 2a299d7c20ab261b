"""SQLite's file overwritten in place, or its log or the log's index removed, under a running node: the inode of the main file
stays what it was, and still nothing is answered from what no other process can see."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from app.database.sqlite import PersistentSQLiteEngine
from app.errors import Unavailable
from tests.conftest import GATEWAY_TOKEN, KIND
from tests.faults.conftest import started
from tests.faults.test_postgres_gone import _key, _keydesk
from tests.faults.test_replaced_file import _copied, _environment, _never_valid_again
from tests.support.http import Gateway

pytestmark = pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's files")


async def test_checkpoints_and_other_connections_that_come_and_go_replace_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keydesk.db"
    engine = PersistentSQLiteEngine(path)
    await engine.start_connection_pool()
    try:
        for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
            async with engine.transaction():
                await engine._run_in_existing_connection(engine._connected(), f"CREATE TABLE {mode} (x)")
            with contextlib.closing(sqlite3.connect(path, timeout=10)) as other:
                other.execute(f"PRAGMA wal_checkpoint({mode})")
            engine.check_file()
        Path(f"{path}-wal").rename(tmp_path / "elsewhere")
        with pytest.raises(Unavailable):
            engine.check_file()
        (tmp_path / "elsewhere").rename(f"{path}-wal")
        with pytest.raises(Unavailable):
            engine.check_file()
    finally:
        await engine.close_connection_pool()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["copied over", "both removed", "log removed", "index removed"])
async def test_a_node_ends_when_others_no_longer_see_its_log_and_leaves_the_file_as_they_made_it(tmp_path: Path, how: str) -> None:
    environment, path = _environment(tmp_path), tmp_path / "keydesk.db"
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"])
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
        _copied(tmp_path, tmp_path / "copy.db")
        # Whatever the log holds is in the file too, or removing the log would lose it for everyone.
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
        if how == "copied over":
            shutil.copyfile(tmp_path / "copy.db", path)
        for end in {"log removed": ("-wal",), "index removed": ("-shm",)}.get(how, ("-wal", "-shm")):
            Path(f"{path}{end}").unlink()
        left = path.read_bytes()
        await _never_valid_again(node, secret)
        assert path.read_bytes() == left, "the node has put nothing of its log over it"
        await _keydesk(environment, ["revoke", "--reason", "OTHER"], f"{secret}\n")
        (tmp_path / "journal.jsonl").unlink()
        node.start()
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "REVOKED"
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
