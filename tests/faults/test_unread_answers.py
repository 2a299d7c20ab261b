"""A client that sends requests and reads no answers is disconnected after a while."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import psutil
import pytest

from app import connections
from tests.faults.conftest import StartNodes

pytestmark = pytest.mark.slow
ASKED = b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 4_000


async def test_a_client_that_reads_nothing_is_disconnected(nodes: StartNodes) -> None:
    (node,) = nodes(1)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", node.port))
        # More than the capacity of all buffers on the path.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().sock_sendall(client, ASKED)
        here = client.getsockname()[1]
        async with asyncio.timeout(connections.UNREAD_MILLISECONDS / 1_000 * 2.5):
            while here in peers(node.pid):
                await asyncio.sleep(0.5)


def peers(pid: int) -> set[int]:
    """The ports of the clients connected to the process."""
    found = psutil.Process(pid).net_connections("tcp")
    return {each.raddr.port for each in found if each.raddr and each.status == psutil.CONN_ESTABLISHED}
