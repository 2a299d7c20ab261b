"""Connections that send nothing, or send endlessly, do not affect others."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import AsyncIterator

import pytest

from app import bodies, connections
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway, Wire

pytestmark = pytest.mark.slow
WANTED = 9_000
# The minimum of several, because the machine may be busy with something else.
TRIES = 10
# A busy machine adds the time of an answer without these connections.
DELAY_SECONDS = 0.1


@contextlib.asynccontextmanager
async def held(port: int, first: bytes = b"") -> AsyncIterator[list[socket.socket]]:
    """As many connections as this process may have open, each of which has sent only `first`."""
    connections.raise_limit()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(WANTED, soft - 500)
    assert count > 1_100, "the limit of open files is too low to say anything"
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", port))
            if first:
                await loop.sock_sendall(one, first)
            opened.append(one)
        yield opened


async def answered(desk: Desk, port: int, key: str) -> float:
    """The minimum seconds for a new connection, a verification and `/livez`."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        async with asyncio.timeout(5), Wire(port) as wire:
            verdict = await wire.post("/v1/verify", {"key": key, "permission": "pdf.generate"}, token=desk.gateway)
        took.append(time.perf_counter() - began)
        if verdict.status == 503:  # a busy machine; the minimum is of answers that came at the first attempt
            took.pop()
            async with Gateway(port, desk.gateway) as gateway:
                verdict = await gateway.verdict(key, permission="pdf.generate")
        assert (verdict.status, verdict.json()["code"]) == (200, "VALID")
        async with asyncio.timeout(5), Wire(port) as wire:
            assert (await wire.send("GET", "/livez")).status == 200
    return min(took)


@pytest.mark.parametrize(
    "first",
    [b"", b"GET /livez HTTP/1.1\r\nhost: x\r\n", b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"],
    ids=["silent", "half a head", "used once"],
)
async def test_thousands_of_idle_connections_delay_no_verification(desk: Desk, nodes: StartNodes, first: bytes) -> None:
    (node,) = nodes(1)
    key = (await make_key(desk.team)).secret or ""
    before = await answered(desk, node.port, key)
    async with held(node.port, first):
        assert await answered(desk, node.port, key) < DELAY_SECONDS + before


async def test_an_idle_connection_is_closed(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    for first in (b"", b"GET /livez HTTP/1.1\r\nhost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(first)
        async with asyncio.timeout(60):
            await reader.read()
        writer.close()


async def test_a_body_that_does_not_arrive_is_answered_408_by_every_endpoint(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)

    async def drip(path: str, kind: str, token: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{node.port}\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n"
        writer.write(f"{head}authorization: Bearer {token}\r\n\r\n".encode())
        answer = asyncio.create_task(reader.read())
        while not answer.done():  # single bytes from time to time do not count as arriving
            with contextlib.suppress(ConnectionError):
                writer.write(b" ")
                await writer.drain()
            await asyncio.wait([answer], timeout=0.5)
        writer.close()
        return answer.result()

    async with asyncio.timeout(bodies.BODY_SECONDS * 6):
        answers = await asyncio.gather(
            drip("/v1/verify", "application/json", desk.gateway),
            drip("/v1/usage", "application/json", desk.gateway),
            drip("/graphql", "application/json", desk.program),
            drip("/sign-in", "application/x-www-form-urlencoded", "-"),
        )
    assert [answer.split(b" ")[1] for answer in answers] == [b"408"] * 4
    # The connection cannot be used again, and was closed: `read` reached the end.
    assert all(b"connection: close" in answer.lower() for answer in answers)
