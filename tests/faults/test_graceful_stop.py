"""A rolling restart under load: a client that uses only ready nodes loses no request and no count."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from app import database
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes, readiness
from tests.support.http import DECIDED_WITHIN_SECONDS, Gateway, Program, Unanswered, Undecided, Unsent, Wire, known
from tests.support.server import Server

pytestmark = pytest.mark.slow
WIRES, DRAIN_SECONDS, POLLED_EVERY_SECONDS = 8, 3, 0.1
BUSY = (503, "UNAVAILABLE")


@dataclass
class Balancer:
    """Sends each request to the next of the nodes that were ready at their last check. `waited`: there was none for a
    moment, or a node was too busy for a program."""

    nodes: list[Server]
    desk: Desk
    secret: str
    ready: list[Server] = field(default_factory=list)
    codes: collections.Counter[tuple[int, str]] = field(default_factory=collections.Counter)
    waited: bool = False
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

    async def until_used(self, node: Server) -> None:
        """Waits until requests are sent to it."""
        async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
            while node not in self.ready:
                await asyncio.sleep(0.01)

    async def _next(self, number: int) -> Server:
        async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
            while not (ready := self.ready):
                self.waited = True
                await asyncio.sleep(0.01)
        return ready[number % len(ready)]

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
                node = await self._next(number)
                answer = await gateways[self.nodes.index(node)].verify(self.secret)
                self.codes[(answer.status, answer.json()["code"])] += 1
                await asyncio.sleep(int(answer.header("retry-after") or "") if answer.status == 503 else 0.002)

    async def _read(self) -> None:
        """A program that reads meanwhile, on a new connection each time."""
        while not self.over:
            assert await known(self._slug) == self.desk.slug
            await asyncio.sleep(0.02)

    async def _slug(self) -> str:
        node = await self._next(0)
        async with Program(node.port, self.desk.program) as program:
            try:
                return str((await program.ask("{ workspace { slug } }"))["workspace"]["slug"])
            except Undecided:
                self.waited = True
                raise

    def late(self) -> int:
        """The verifications that took a node too long, by the nodes' logs: the machine was busy. Those that a stopping node could
        not count, because its database was closed, are not among them."""
        logs = " ".join(node.log.read_text() for node in self.nodes)
        return sum(int(size) for size in re.findall(r'a batch of (\d+) could not be counted: (?![^"\n]*closed)', logs))

    def busy(self) -> bool:
        """Whether a node that was not stopping found itself not ready, by the nodes' logs."""
        return self.late() > 0 or any("not ready: " in node.log.read_text() for node in self.nodes)


async def test_a_rolling_restart_fails_no_request_and_loses_no_count(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    balancer = Balancer(nodes(2, KEYDESK_DRAIN_SECONDS=str(DRAIN_SECONDS)), desk, made.secret or "")
    async with balancer.balancing():
        for node in balancer.nodes:
            await balancer.until(balancer.codes.total() + 200)
            assert await asyncio.to_thread(node.stop) == 0
            await balancer.until(balancer.codes.total() + 200)
            await asyncio.to_thread(node.start)
            # As for every rolling restart: the next node stops only after this one gets requests.
            await balancer.until_used(node)
    # On a busy machine a node may answer that it was too slow; such a request counts once or not at all.
    undecided = balancer.codes.pop(BUSY, 0)
    assert undecided <= balancer.late()
    assert not balancer.waited or balancer.busy()
    assert set(balancer.codes) == {(200, "VALID")}
    rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", made.key.id)
    assert balancer.codes.total() <= int(rows[0]["n"]) <= balancer.codes.total() + undecided


async def test_a_draining_node_is_not_ready_and_still_answers(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    (node,) = nodes(1, KEYDESK_DRAIN_SECONDS="30")
    assert node.process is not None
    async with Gateway(node.port, desk.gateway) as gateway, Wire(node.port) as wire:
        node.process.terminate()
        while "node" not in (await wire.send("GET", "/readyz")).json()["faults"]:
            await asyncio.sleep(0.01)
        ready = await readiness(wire)
        assert ready.status == 503
        assert ready.json() == {"ready": False, "faults": {"node": "stopping"}}
        assert (await wire.send("GET", "/livez")).status == 200
        async with Gateway(node.port, desk.gateway) as another:
            assert (await another.verdict(made.secret or "")).json()["code"] == "VALID"
        assert (await gateway.verdict(made.secret or "")).json()["code"] == "VALID"
        repeated = another.undecided + gateway.undecided
    # The second signal stops it immediately.
    assert await asyncio.to_thread(node.stop) == 0
    rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", made.key.id)
    assert 2 <= int(rows[0]["n"]) <= 2 + repeated
