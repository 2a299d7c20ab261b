"""A node's guarantees about its connections to PostgreSQL hold while tables are locked and through poolers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.settings import Settings
from tests.conftest import KIND, make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway, Program, Wire
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="it is about PostgreSQL")]
NODES = 2
WIRES = 40
CONNECTIONS_A_NODE = 14
LOCKED_SECONDS = 5
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'keydesk'"


@contextlib.asynccontextmanager
async def verifying(desk: Desk, ports: list[int], secret: str) -> AsyncIterator[None]:
    """Many gateways verify continuously while the context is open."""
    over = False

    async def verify(port: int) -> None:
        async with Gateway(port, desk.gateway) as gateway:
            while not over:
                await gateway.verify(secret, permission="pdf.generate")

    async with asyncio.TaskGroup() as group:
        for number in range(WIRES):
            group.create_task(verify(ports[number % len(ports)]))
        try:
            yield
        finally:
            over = True


@pytest.mark.parametrize("table", ["usage_hour", "api_key"])
async def test_a_locked_table_makes_a_node_unready_and_opens_no_more_connections_than_promised(
    desk: Desk, nodes: StartNodes, settings: Settings, table: str
) -> None:
    secret = (await make_key(desk.team)).secret
    watcher = await asyncpg.connect(settings.database_url)
    holder = await asyncpg.connect(settings.database_url)
    tests_own = await watcher.fetchval(OPEN)
    started = await asyncio.to_thread(nodes, NODES)
    counts, ready = [], []
    try:
        async with verifying(desk, [node.port for node in started], secret), Wire(started[0].port) as wire:
            async with holder.transaction():
                await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                end = asyncio.get_running_loop().time() + LOCKED_SECONDS
                while asyncio.get_running_loop().time() < end:
                    counts.append(await watcher.fetchval(OPEN) - tests_own)
                    ready.append((await wire.send("GET", "/readyz")).status)
                    await asyncio.sleep(0.1)
            async with asyncio.timeout(30):
                while (await wire.send("GET", "/readyz")).status != 200:
                    await asyncio.sleep(0.1)
    finally:
        await holder.close()
        await watcher.close()
    assert max(counts) <= NODES * CONNECTIONS_A_NODE, counts
    assert ready[-1] == 503


async def test_a_pooler_that_refuses_startup_parameters_works_with_all_limits(
    desk: Desk, nodes: StartNodes, settings: Settings
) -> None:
    made = await make_key(desk.team)
    proxy = Proxy(settings.database_url, pooler=True)
    async with proxy.running() as url:
        (node,) = await asyncio.to_thread(nodes, 1, KEYDESK_DATABASE_URL=url)
        async with Gateway(node.port, desk.gateway) as gateway, Program(node.port, desk.program) as program:
            assert (await gateway.verdict(made.secret, permission="pdf.generate")).json()["code"] == "VALID"
            created = await program.change("keys/create", name="Two", environment="staging", permissions=["pdf.read"])
            assert created["secret"]
        assert proxy.refused == []
        node.kill()


async def test_a_pooler_in_transaction_mode_is_refused_in_one_line(settings: Settings) -> None:
    from app.database.postgres import POOLED, POOLED_TEXT, _translated
    from app.errors import Unavailable

    for kind in POOLED:
        failure = _translated(kind("already exists"))
        assert isinstance(failure, Unavailable)
        assert failure.internal == POOLED_TEXT
