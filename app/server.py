"""Runs Granian inside this process: one process to start, stop or kill.

On SIGTERM the server alone would refuse new connections at once, while a load balancer still sends them. Here `/readyz` first
fails, requests are still answered for `drain_seconds`, and then the server stops: no new connections, and a few seconds for
running requests. Ctrl-C skips the draining, and a second signal ends any waiting.
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
from dataclasses import dataclass, replace
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder, SocketSpec  # type: ignore[attr-defined]  # they are there under these names
from granian.server.embed import Server

from app import connections, database
from app.errors import StartRefused
from app.main import Keydesk
from app.settings import Settings

# The time for running requests to finish when the node stops.
PATIENCE_SECONDS: Final = 2.5
_SWITCH_SECONDS: Final = 0.0005
# Python's defaults except for the last: the oldest generation is collected a twentieth as often. An expensive GraphQL operation
# creates so many objects that each one caused a full collection, 20 ms in which nothing else is answered.
COLLECTION: Final = (700, 10, 200)
_LOOK_SECONDS: Final = 0.5
# A request's headers have this long to arrive, and a connection that was used may stay idle for as long.
HEADER_MILLISECONDS: Final = 10_000
_log = logging.getLogger("keydesk.server")


def with_actual_port(settings: Settings) -> Settings:
    """The settings with the actual port for port 0. Raises StartRefused when the address is not available."""
    with _bound(settings) as probe:
        return replace(settings, port=probe.getsockname()[1])


def shared_sockets(settings: Settings) -> list[socket.socket]:
    """A socket for each worker, all with this address; the kernel distributes connections among those that listen. Call
    `with_actual_port` first: these do not notice another server. Raises StartRefused when the address is not available."""
    return [_bound(settings, socket.SO_REUSEPORT) for _ in range(settings.workers)]


def _bound(settings: Settings, *options: int) -> socket.socket:
    where = f"{settings.host} port {settings.port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, number)
        try:
            for option in (socket.SO_REUSEADDR, *options):
                found.setsockopt(socket.SOL_SOCKET, option, 1)
            found.bind(address)
        except BaseException:
            found.close()
            raise
        return found
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise StartRefused(f"Keydesk cannot listen on {where}: {why}. See KEYDESK_HOST and KEYDESK_PORT.") from None


def _signals() -> asyncio.Queue[signal.Signals]:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    return signals


def _print_refusal(why: str) -> None:
    sys.stderr.write(f"Error: {why}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server has from its process: for a worker (`app/workers`) one of the sockets of the port, the signals that the parent
    passes on, and a parent to which it says why it cannot go on."""

    listener: socket.socket | None = None
    signals: Callable[[], asyncio.Queue[signal.Signals]] = _signals
    refuse: Callable[[str], None] = _print_refusal


async def serve(
    app: Keydesk, opened: Callable[[], Awaitable[Callable[[], None]]], surroundings: Surroundings = Surroundings()
) -> None:
    """Serves until a signal ends it. Raises StartRefused when the address is not available.

    `opened` is awaited once the database is open; the function that it returns is called once the server accepts all requests.
    """
    async with app.verifying():
        listening = await opened()
        sys.setswitchinterval(_SWITCH_SECONDS)
        connections.raise_limit()
        server = _server(app, surroundings.listener)
        serving = asyncio.create_task(server.serve(), name="serving")
        completing = asyncio.create_task(_complete(app, server, listening))
        others = [
            asyncio.create_task(_until_signalled(app, server, serving, surroundings.signals())),
            asyncio.create_task(_until_replaced(app, server, serving)),
        ]
        try:
            await asyncio.wait([serving])
        finally:
            for task in (serving, completing, *others):
                task.cancel()
        if database.was_replaced():
            surroundings.refuse(
                "The database's file, or its -wal or -shm, was replaced or removed, or the file overwritten: start it again."
            )
            # Without closing: SQLite's last connection would write its log into the file of that name, which is another one.
            os._exit(1)
        if not serving.cancelled() and (failure := serving.exception()):
            # Its first line names the operating system's error; forty more are a traceback of its internals.
            raise StartRefused(f"Keydesk cannot listen: {str(failure).splitlines()[0]}")
        if completing.done() and (failure := completing.exception()):
            raise failure


async def _complete(app: Keydesk, server: Server, listening: Callable[[], None]) -> None:
    """Builds the rest of the application once verifications can be answered. If that fails, the node ends."""
    try:
        await _until_reachable(app.settings)
        await app.complete()
        tune_for_latency()
        listening()
        await app.compile_templates()
    except Exception:
        server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
        raise


def tune_for_latency() -> None:
    """Tunes Python for low latency: loaded modules are frozen, because collecting them again takes 80 ms each time; and the
    database's threads need the interpreter only briefly, so they should not wait for Python's usual 5 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION)
    gc.enable()
    sys.setswitchinterval(_SWITCH_SECONDS)


class _Bounded(Server):
    """Granian with a socket that closes connections whose client does not read: this one, or its own."""

    inherited: socket.socket | None = None

    def _init_shared_socket(self) -> None:
        if self.inherited is None:
            listener = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        else:
            listener = SocketHolder(self.inherited.detach(), False, self.backlog)  # type: ignore[call-arg]  # its stub is without them
        connections.bound(listener.get_fd())
        # As Granian does itself when workers share one socket.
        self._ssp, self._shd, self._sfd = None, listener, listener.get_fd()  # type: ignore[assignment]  # it leaves them untyped


def _server(app: Keydesk, listener: socket.socket | None) -> Server:
    settings = app.settings
    server = _Bounded(
        app,
        # Granian needs an IP address, not `localhost`.
        address=str(socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]),
        port=settings.port,
        interface=Interfaces.ASGINL,
        # Detecting the protocol awaits the first byte without a limit; saying which one it is starts the header's deadline,
        # which is also how long an idle connection is kept.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        backlog=1024,
        # Granian's name for the maximum number of open connections; more wait in the backlog until one ends.
        backpressure=connections.most(),
        websockets=True,
        log_enabled=False,
    )
    server.inherited = listener
    return server


async def _until_reachable(settings: Settings) -> None:
    """Connects until the port is open, because Granian does not report that."""
    for attempt in itertools.count():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
            writer.close()
            return
        await asyncio.sleep(min(0.01 * attempt, 0.1))


async def _until_signalled(
    app: Keydesk, server: Server, serving: asyncio.Task[None], signals: asyncio.Queue[signal.Signals]
) -> None:
    """Drains, stops, and finally drops clients that have not sent the rest of their request."""
    if await signals.get() is signal.SIGTERM:
        app.health.draining = True
        _log.info("answering for another %g s, then stopping", app.settings.drain_seconds)
        await _wait_or_signal(signals, app.settings.drain_seconds)
    app.stopping.set()
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    await _wait_or_signal(signals, PATIENCE_SECONDS)
    _log.warning("stopping with connections still open")
    # Granian's own errors about the abort would say nothing new.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    serving.cancel()


async def _until_replaced(app: Keydesk, server: Server, serving: asyncio.Task[None]) -> None:
    """Ends a node whose database file was replaced; the service manager restarts it with the new one."""
    while not database.was_replaced():  # noqa: ASYNC110  # it is no event of ours
        await asyncio.sleep(_LOOK_SECONDS)
    _log.error("the database's file was replaced or removed, or overwritten: stopping")
    app.health.draining = True
    app.stopping.set()
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    await asyncio.sleep(PATIENCE_SECONDS)
    serving.cancel()


async def _wait_or_signal(signals: asyncio.Queue[signal.Signals], seconds: float) -> None:
    """Waits; a second signal ends the waiting."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await signals.get()
