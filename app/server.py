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
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

from granian.constants import Interfaces
from granian.server.embed import Server

from app.errors import StartRefused
from app.main import Keydesk
from app.settings import Settings

_log = logging.getLogger("keydesk.server")


def settled(settings: Settings) -> Settings:
    """The same, with the port that port 0 was given. Raises StartRefused when the address cannot be had."""
    where = f"{settings.host} port {settings.port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return replace(settings, port=probe.getsockname()[1])
    except OSError as error:
        raise StartRefused(f"Keydesk cannot listen on {where}: {error.strerror}. See KEYDESK_HOST and KEYDESK_PORT.") from None


async def serve(app: Keydesk, opened: Callable[[], Awaitable[Callable[[], None]]]) -> None:
    """Until a signal ends it. Raises StartRefused when the address cannot be had.

    `opened` is awaited when the database is there; what it answers is called when requests can come.
    """
    settings = app.settings
    async with app.running():
        listening = await opened()
        server = Server(
            app,
            # The server wants a number where people write localhost.
            address=str(socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]),
            port=settings.port,
            interface=Interfaces.ASGINL,
            backlog=1024,
            websockets=False,
            log_enabled=False,
        )
        server.on_startup(listening)
        stopping = asyncio.create_task(_stop_when_told(app, server), name="waiting for a signal")
        try:
            await server.serve()
        except RuntimeError as error:
            # It speaks of the operating system's refusal in its first line, and of its own insides in forty more.
            raise StartRefused(f"Keydesk cannot listen: {str(error).splitlines()[0]}") from None
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
