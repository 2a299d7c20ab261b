"""A small SMTP server that stores the mails it receives, on a free port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Smtp:
    """`refusals`: how many mails it refuses before it accepts one. While `open` is not set, it has received a mail and does not
    confirm it."""

    port: int = 0
    refusals: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Smtp]:
        smtp = cls()
        smtp.open.set()
        server = await asyncio.start_server(smtp._talk, "127.0.0.1", 0)
        smtp.port = server.sockets[0].getsockname()[1]
        async with server:
            yield smtp

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(":")[0].split()[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                self._keep(await self._data(reader))
                await self.open.wait()
                writer.write(b"250 taken\r\n")
            elif verb == "RCPT" and self.refusals:
                self.refusals -= 1
                writer.write(b"451 later\r\n")
            else:
                self.recipients += [line.split(":", 1)[1].strip("<>")] if verb == "RCPT" else []
                writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 yes\r\n")
            if verb == "QUIT":
                break
        writer.close()

    async def _data(self, reader: asyncio.StreamReader) -> bytes:
        return (await reader.readuntil(b"\r\n.\r\n"))[:-3]

    def _keep(self, data: bytes) -> None:
        self.received.append(message_from_bytes(data, policy=policy.default))
