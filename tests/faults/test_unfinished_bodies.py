"""A connection that got a 408 is closed immediately, on every endpoint, for any number of connections."""

from __future__ import annotations

import asyncio

import pytest

from app import bodies
from tests.faults.conftest import Desk, StartNodes

pytestmark = pytest.mark.slow
AT_ONCE = 100
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


async def test_a_hundred_connections_whose_body_does_not_arrive_are_all_closed(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)

    async def begin(path: str, kind: str, token: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{node.port}\r\ncontent-type: {kind}\r\ncontent-length: 60000\r\n"
        writer.write(f"{head}authorization: Bearer {token}\r\n\r\nx".encode())
        answer = await reader.read()  # reads until the connection is closed
        writer.close()
        return answer

    async with asyncio.timeout(bodies.BODY_SECONDS * 5):
        answers = await asyncio.gather(
            *(begin("/sign-in", FORM, "-") for _ in range(AT_ONCE)),
            *(begin("/v1/verify", JSON, desk.gateway) for _ in range(10)),
            *(begin("/graphql", JSON, desk.program) for _ in range(10)),
        )
    assert {answer.split(b" ")[1] for answer in answers} == {b"408"}
