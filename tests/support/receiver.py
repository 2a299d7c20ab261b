"""A real HTTP server that receives webhooks, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Received:
    """One request. Header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def verified(self, secret: str) -> dict[str, Any]:
        """The content, as the package of the specification's authors verifies it. Raises WebhookVerificationError."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass
class Receiver:
    """`answers`: what it answers to the next requests, and after them OK; a function is called with the request. While `open` is
    not set, it answers nothing."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[bytes | Callable[[Received], bytes]] = field(default_factory=list)
    always: bytes = OK
    open: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Receiver]:
        receiver = cls()
        receiver.open.set()
        server = await asyncio.start_server(receiver._talk, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        async with server:
            yield receiver
            receiver.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def until(self, number: int, *, within: float = 60) -> list[Received]:
        """All requests, when there are so many."""
        async with asyncio.timeout(within):
            while len(self.received) < number:
                await asyncio.sleep(0.02)
        return self.received

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
            found = Received(head[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
            self.received.append(found)
            given = self.answers.pop(0) if self.answers else self.always
            await self.open.wait()
            writer.write(given(found) if callable(given) else given)
            await writer.drain()
        writer.close()
