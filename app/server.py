"""Granian inside this process: one process to start, to stop and, at worst, to kill.

On SIGTERM a server alone would refuse new connections at once, while a balancer still sends them. Here the node first says
on `/readyz` that it is stopping, goes on answering for `drain_seconds`, and then stops; a second signal stops it now,
and so does Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable

from granian.constants import Interfaces
from granian.server.embed import Server

from app.main import Keydesk

_log = logging.getLogger("keydesk.server")


async def serve(app: Keydesk, opened: Callable[[], Awaitable[None]]) -> None:
    """Until a signal ends it. `opened` is awaited when the database is there and before the first request."""
    settings = app.settings
    async with app.running():
        await opened()
        server = Server(
            app,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            backlog=1024,
            websockets=False,
            log_enabled=False,
        )
        stopping = asyncio.create_task(_stop_when_told(app, server), name="waiting for a signal")
        try:
            await server.serve()
        finally:
            stopping.cancel()


async def _stop_when_told(app: Keydesk, server: Server) -> None:
    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.put_nowait, number)
    if await told.get() is signal.SIGTERM:
        app.health.draining = True
        _log.info("answering for another %g s, then stopping", app.settings.drain_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(app.settings.drain_seconds):
                await told.get()
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
