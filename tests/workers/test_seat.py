"""What a worker hears from its parent."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
import uvloop

from app.workers.process import Seat


@pytest.mark.parametrize("has_read", [True, False])
def test_a_worker_stops_when_its_parent_dies_even_before_it_read_that_the_worker_listens(has_read: bool) -> None:
    async def heard() -> signal.Signals:
        parents, pair = socket.socketpair()
        with pair:
            pair.setblocking(False)
            seat = Seat(1, pair, None)
            signals = seat.signals()
            seat.announce()
            if has_read:
                parents.recv(64)
            parents.close()
            async with asyncio.timeout(10):
                return await signals.get()

    # The loop of a node: it reads no more from a socket of which reading failed.
    assert uvloop.run(heard()) is signal.SIGINT
