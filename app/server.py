"""Granian inside this process: one process to start, to stop and, at worst, to kill.

On SIGTERM a server alone would refuse new connections at once, while a balancer still sends them. Here the node first says
on `/readyz` that it is stopping, goes on answering for `drain_seconds`, and then stops: no new connections, and a few
seconds for what is under way. Ctrl-C leaves the draining out, and a second signal ends whatever is being waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, NoReturn

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketSpec  # type: ignore[attr-defined]  # it is there under this name
from granian.server.embed import Server

from app import connections, database
from app.errors import StartRefused
from app.main import Keydesk
from app.settings import Settings

# What is under way when the node stops has this long to get its answer.
PATIENCE_SECONDS: Final = 2.5
_SWITCH_SECONDS: Final = 0.0005
# Python's own but for the last: the oldest objects are looked through a twentieth as often. A dear GraphQL operation makes so many
# that all of them were walked during each, 20 ms in which nothing else is answered.
COLLECTION: Final = (700, 10, 200)
_LOOK_SECONDS: Final = 0.5
# A request's headers have this long to arrive, and a connection that was used may stay idle for as long.
HEADER_MILLISECONDS: Final = 10_000
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
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise StartRefused(f"Keydesk cannot listen on {where}: {why}. See KEYDESK_HOST and KEYDESK_PORT.") from None


async def serve(app: Keydesk, opened: Callable[[], Awaitable[Callable[[], None]]]) -> None:
    """Until a signal ends it. Raises StartRefused when the address cannot be had.

    `opened` is awaited when the database is there; what it answers is called when requests can come.
    """
    async with app.running():
        listening = await opened()
        _be_prompt()
        connections.raise_limit()
        server = _server(app)
        serving = asyncio.create_task(server.serve(), name="serving")
        others = [
            asyncio.create_task(_when_reachable(app.settings, listening)),
            asyncio.create_task(_until_told(app, server, serving)),
            asyncio.create_task(_until_replaced(app, server, serving)),
        ]
        try:
            await asyncio.wait([serving])
        finally:
            for task in (serving, *others):
                task.cancel()
        if database.was_replaced():
            _end_at_once("The database's file, or its -wal or -shm, was replaced or removed while the node ran. Start it again.")
        if not serving.cancelled() and (failure := serving.exception()):
            # It speaks of the operating system's refusal in its first line, and of its own insides in forty more.
            raise StartRefused(f"Keydesk cannot listen: {str(failure).splitlines()[0]}")


def _be_prompt() -> None:
    """What has been loaded stays loaded, and walking it again takes the garbage collector 80 ms each time; and the database's
    threads need the interpreter for moments only, which they should not await for Python's usual 5 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION)
    sys.setswitchinterval(_SWITCH_SECONDS)


class _Bounded(Server):
    """Granian with a socket whose connections end when nobody reads what was sent to them."""

    def _init_shared_socket(self) -> None:
        listener = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        connections.bound(listener.get_fd())
        # As it does itself where it shares one socket among its workers.
        self._ssp, self._shd, self._sfd = None, listener, listener.get_fd()  # type: ignore[assignment]  # it leaves them untyped


def _server(app: Keydesk) -> Server:
    settings = app.settings
    return _Bounded(
        app,
        # It wants a number where people write localhost.
        address=str(socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]),
        port=settings.port,
        interface=Interfaces.ASGINL,
        # Detecting the protocol awaits the first byte without a limit; saying which one it is starts the header's deadline,
        # which is also how long an idle connection is kept.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        backlog=1024,
        # Its name in this server for how many connections may be open; more wait in the backlog until one ends.
        backpressure=connections.most(),
        websockets=False,
        log_enabled=False,
    )


async def _when_reachable(settings: Settings, listening: Callable[[], None]) -> None:
    """The server does not tell when its port is open; so we knock."""
    for attempt in itertools.count():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
            writer.close()
            listening()
            return
        await asyncio.sleep(min(0.01 * attempt, 0.1))


async def _until_told(app: Keydesk, server: Server, serving: asyncio.Task[None]) -> None:
    """Drains, stops, and in the end lets go of whoever has not sent the rest of their request by then."""
    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.put_nowait, number)
    if await told.get() is signal.SIGTERM:
        app.health.draining = True
        _log.info("answering for another %g s, then stopping", app.settings.drain_seconds)
        await _told_again(told, app.settings.drain_seconds)
    app.stopping.set()
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    await _told_again(told, PATIENCE_SECONDS)
    _log.warning("stopping with connections still open")
    # The server's own complaints about being left would say nothing new.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    serving.cancel()


async def _until_replaced(app: Keydesk, server: Server, serving: asyncio.Task[None]) -> None:
    """Ends a node whose database is no longer the one at its path; the service manager starts it with the right one."""
    while not database.was_replaced():  # noqa: ASYNC110  # it is no event of ours
        await asyncio.sleep(_LOOK_SECONDS)
    _log.error("the database's file was replaced or removed: stopping")
    app.health.draining = True
    app.stopping.set()
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    await asyncio.sleep(PATIENCE_SECONDS)
    serving.cancel()


def _end_at_once(why: str) -> NoReturn:
    """As if killed: whoever closes SQLite's last connection writes its log into the file of that name, which is another one."""
    sys.stderr.write(f"Error: {why}\n")
    sys.stderr.flush()
    os._exit(1)


async def _told_again(told: asyncio.Queue[signal.Signals], seconds: float) -> None:
    """Waits; a second signal ends the waiting."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.get()
