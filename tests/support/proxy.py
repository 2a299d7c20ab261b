"""A TCP proxy to PostgreSQL that can be frozen: it then accepts data but forwards none, like a lost network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Listens on a local TCP port and forwards to the URL's server through its Unix socket or its address."""

    # The startup parameters that pgbouncer supports; it refuses a connection with others unless configured to ignore them.
    KNOWN = frozenset({"user", "database", "client_encoding", "application_name", "timezone", "datestyle"})

    def __init__(self, url: str, *, pooler: bool = False) -> None:
        """`pooler`: refuse connections with startup parameters that poolers refuse, and record the parameters in `refused`."""
        self._url, self._pooler = urlsplit(url), pooler
        self.refused: list[str] = []
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The URL of the same database through the proxy."""
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"postgresql://{self._url.username}@127.0.0.1:{self.port}{self._url.path}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def silence(self) -> None:
        """Freezes all present connections forever; new ones work."""
        self._open.clear()
        self._open = asyncio.Event()
        self._open.set()

    def redirect_to(self, url: str) -> None:
        """Forwards new connections to another server, as a service name does after a failover."""
        self._url = urlsplit(url)

    def disconnect_all(self) -> None:
        """Closes all connections."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Also if it is cancelled before it has begun.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_open = self._open
        with contextlib.closing(writer):
            await is_open.wait()
            theirs, to_them = await self._connect()
            if self._pooler:
                start = await self._start_up(reader, writer)
                names = {name.lower() for name in start[8:].decode().split("\0")[::2] if name}
                if unknown := sorted(names - self.KNOWN):
                    self.refused += unknown
                    return
                to_them.write(start)
            with contextlib.closing(to_them):
                both = ((reader, to_them), (theirs, writer))
                pumps = [asyncio.create_task(self._pump(*each, is_open)) for each in both]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _start_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Reads the startup message; declines TLS first, as often as the client requests it."""
        while True:
            length = await reader.readexactly(4)
            message = length + await reader.readexactly(int.from_bytes(length) - 4)
            if int.from_bytes(message[4:8]) != 80877103:
                return message
            writer.write(b"N")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = parse_qs(self._url.query).get("host")
        if folder:
            return await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._url.hostname, self._url.port or 5432)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await is_open.wait()
                writer.write(data)
                await writer.drain()
