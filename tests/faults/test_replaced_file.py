"""SQLite's file replaced or removed under a running node: the node does not answer from the old file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER
from tests.faults.conftest import started
from tests.faults.test_postgres_gone import _key, _keydesk
from tests.support.http import Gateway, Unanswered, Unsent
from tests.support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's file")]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "KEYDESK_DATABASE_URL": f"sqlite:///{folder}/keydesk.db",
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_GATEWAY_TOKENS": GATEWAY_TOKEN,
        "KEYDESK_REVOCATION_JOURNAL": str(folder / "journal.jsonl"),
        "KEYDESK_DEV": "1",
    }


def _copied(folder: Path, to: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "keydesk.db")) as source, contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target)


async def _never_valid_again(node: Server, secret: str) -> None:
    """Checks until the process exits that no answer says that the key is valid."""
    assert node.process is not None
    async with asyncio.timeout(30), Gateway(node.port, GATEWAY_TOKEN) as gateway:
        while node.process.poll() is None:
            with contextlib.suppress(Unsent, Unanswered):
                answer = await gateway.verify(secret, permission="pdf.read")
                assert (answer.status, answer.json()["code"]) == (503, "UNAVAILABLE")
            await asyncio.sleep(0.02)
    assert node.process.returncode == 1
    assert "replaced or removed" in node.log.read_text()


@pytest.mark.parametrize("how", ["replaced", "removed"])
async def test_a_node_exits_when_its_file_is_replaced_and_answers_nothing_from_it(tmp_path: Path, how: str) -> None:
    environment = _environment(tmp_path)
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"])
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
        copy = tmp_path / "copy.db"
        _copied(tmp_path, copy)
        for end in ("-wal", "-shm"):
            (tmp_path / f"keydesk.db{end}").unlink()
        if how == "removed":
            (tmp_path / "keydesk.db").unlink()
        else:
            copy.replace(tmp_path / "keydesk.db")
            await _keydesk(environment, ["revoke", "--reason", "OTHER"], f"{secret}\n")
        await _never_valid_again(node, secret)
        if how == "removed":
            copy.replace(tmp_path / "keydesk.db")
        node.start()
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            code = "VALID" if how == "removed" else "REVOKED"
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == code
