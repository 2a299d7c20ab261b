"""SQLite's file overwritten in place under a running node while its log stays: the node answers from neither."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import GATEWAY_TOKEN, KIND
from tests.faults.conftest import started
from tests.faults.test_postgres_gone import _key, _keydesk
from tests.faults.test_replaced_file import _copied, _environment
from tests.support.http import Gateway, Unanswered, Unsent

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's file")]


async def test_a_node_ends_when_a_copy_is_put_over_its_file_and_a_whole_one_is_served_again(tmp_path: Path) -> None:
    environment, path = _environment(tmp_path), tmp_path / "keydesk.db"
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"])
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
        _copied(tmp_path, tmp_path / "copy.db")
        await _keydesk(environment, ["revoke", "--reason", "OTHER"], f"{secret}\n")
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "REVOKED"
        shutil.copyfile(tmp_path / "copy.db", path)
        with contextlib.suppress(Unsent, Unanswered):
            async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
                assert (await gateway.verify(secret, permission="pdf.read")).status == 503
        assert node.process is not None and node.process.wait(30) == 1
        assert "overwritten" in node.log.read_text()
        assert path.read_bytes() == (tmp_path / "copy.db").read_bytes(), "the node has put nothing of its log over it"
        node.start()
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "REVOKED"
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
