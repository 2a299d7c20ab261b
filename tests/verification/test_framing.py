"""Framing that a proxy and the node could interpret differently: the end of a request, and its path."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.http import Wire
from tests.support.server import Server

pytestmark = pytest.mark.slow
BOTH = (b"content-length: 5\r\ntransfer-encoding: chunked\r\n", b"transfer-encoding: chunked\r\ncontent-length: 5\r\n")
PATHS = [
    "/v1%2fverify",
    "/v1/%76erify",
    "/%761/verify",
    "/v1%2Fusage",
    "/v1%2fforward-auth",
    "/%6detrics",
    "/%72eadyz",
    "/graph%71l",
]


async def test_after_a_request_with_two_lengths_the_connection_is_closed(
    environment: dict[str, str], team: Team, tmp_path: Path
) -> None:
    key = (await make_key(team)).secret or ""
    body = b'{"key": "%s"}' % key.encode()
    with Server(environment, tmp_path).running() as node:
        for lengths in BOTH:
            head = b"POST /v1/verify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n" % GATEWAY_TOKEN.encode()
            smuggled = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
            request = head + lengths + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + smuggled
            async with asyncio.timeout(60):
                while (answer := await _answers(node.port, request)).startswith(b"HTTP/1.1 503 "):
                    await asyncio.sleep(1)  # the machine is busy
            assert answer.startswith(b"HTTP/1.1 200 ") and b"VALID" in answer
            assert answer.count(b"HTTP/1.1 ") == 1


async def _answers(port: int, request: bytes) -> bytes:
    """Everything that the node sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_an_escaped_path_for_programs_is_not_found(environment: dict[str, str], team: Team, tmp_path: Path) -> None:
    with Server(environment, tmp_path).running() as node:
        async with Wire(node.port) as wire:
            for path in PATHS:
                answer = await wire.send("GET", path)
                assert (answer.status, answer.body) == (404, b"This node does not serve this.\n"), path
            assert (await wire.send("GET", "/livez?at=%20")).status == 200
            assert (await wire.send("GET", "/sign%2din")).status == 200
            assert (await wire.send("POST", "/v1/verify", b"{}")).status == 401
