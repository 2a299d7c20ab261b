"""A rolling restart under load: whoever asks only nodes that say they are ready loses no request and no count."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from app import database
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.server import Server
from tests.support.wire import Gateway, Program, Unanswered, Unsent, Wire

pytestmark = pytest.mark.slow
WIRES, DRAIN_SECONDS, POLLED_EVERY_SECONDS = 8, 1.5, 0.1


@dataclass
class Balancer:
    """Sends each request to the next of the nodes that were ready when they were asked last."""

    nodes: list[Server]
    desk: Desk
    secret: str
    ready: list[Server] = field(default_factory=list)
    codes: collections.Counter[tuple[int, str]] = field(default_factory=collections.Counter)
    over: bool = False

    @contextlib.asynccontextmanager
    async def balancing(self) -> AsyncIterator[None]:
        self.ready = list(self.nodes)
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(self._poll(node))
            for number in range(WIRES):
                group.create_task(self._verify(number))
            group.create_task(self._read())
            try:
                yield
            finally:
                self.over = True

    async def until(self, count: int) -> None:
        while self.codes.total() < count:
            await asyncio.sleep(0.01)

    async def _poll(self, node: Server) -> None:
        async with Wire(node.port) as wire:
            while not self.over:
                try:
                    ready = (await wire.send("GET", "/readyz")).status == 200
                except (Unsent, Unanswered):
                    ready = False
                if ready != (node in self.ready):
                    self.ready = [*self.ready, node] if ready else [each for each in self.ready if each is not node]
                await asyncio.sleep(POLLED_EVERY_SECONDS)

    async def _verify(self, number: int) -> None:
        async with contextlib.AsyncExitStack() as stack:
            gateways = [await stack.enter_async_context(Gateway(node.port, self.desk.gateway)) for node in self.nodes]
            while not self.over:
                number += 1
                node = self.ready[number % len(self.ready)]
                answer = await gateways[self.nodes.index(node)].verify(self.secret)
                self.codes[(answer.status, answer.json()["code"])] += 1
                await asyncio.sleep(0.002)

    async def _read(self) -> None:
        """A program goes on reading meanwhile, on a connection of its own each time."""
        while not self.over:
            async with Program(self.ready[0].port, self.desk.program) as program:
                assert (await program.ask("{ workspace { slug } }"))["workspace"] == {"slug": self.desk.slug}
            await asyncio.sleep(0.02)


async def test_a_rolling_restart_fails_no_request_and_loses_no_count(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    balancer = Balancer(nodes(2, KEYDESK_DRAIN_SECONDS=str(DRAIN_SECONDS)), desk, made.secret or "")
    async with balancer.balancing():
        for node in balancer.nodes:
            await balancer.until(balancer.codes.total() + 200)
            assert await asyncio.to_thread(node.stop) == 0
            await balancer.until(balancer.codes.total() + 200)
            await asyncio.to_thread(node.start)
    assert set(balancer.codes) == {(200, "VALID")}
    rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", made.key.id)
    assert int(rows[0]["n"]) == balancer.codes.total()


async def test_a_node_that_is_about_to_stop_says_so_and_still_answers(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    (node,) = nodes(1, KEYDESK_DRAIN_SECONDS="30")
    assert node.process is not None
    async with Gateway(node.port, desk.gateway) as gateway, Wire(node.port) as wire:
        node.process.terminate()
        while (ready := await wire.send("GET", "/readyz")).status == 200:
            await asyncio.sleep(0.01)
        assert ready.json() == {"ready": False, "faults": {"node": "stopping"}}
        assert (await wire.send("GET", "/livez")).status == 200
        async with Gateway(node.port, desk.gateway) as another:
            assert (await another.verify(made.secret or "")).json()["code"] == "VALID"
        assert (await gateway.verify(made.secret or "")).json()["code"] == "VALID"
    # The second signal stops it now.
    assert await asyncio.to_thread(node.stop) == 0
    rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", made.key.id)
    assert int(rows[0]["n"]) == 2
