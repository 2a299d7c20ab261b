"""Answers as server-sent events, by the protocol of `graphql-sse`, each operation in a connection of its own: `next` for each
result, `complete` at the end. A stream that ends without `complete` is to be opened again, after its last event's id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import msgspec

from app.api.execution.http import STREAM
from app.api.server.operations import Event
from app.asgi import NO_STORE, Header, Receive, Send
from app.errors import NotAuthenticated, Unavailable

_HEADERS: tuple[Header, ...] = (
    (b"content-type", f"{STREAM}; charset=utf-8".encode()),
    NO_STORE,
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
)
_ALIVE = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response that ends with its events, when the client leaves, and when the node stops."""

    events: AsyncGenerator[Event | None, None]
    receive: Receive
    stopping: asyncio.Event
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, send: Send, request_id: str) -> None:
        own = [(name.encode(), value.encode()) for name, value in {"x-request-id": request_id, **self.headers}.items()]
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *own]})
        sending = asyncio.create_task(self._send_events(send))
        ends = [asyncio.create_task(self._client_has_left()), asyncio.create_task(self.stopping.wait())]
        try:
            await asyncio.wait([sending, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *ends):
                task.cancel()
            await asyncio.wait([sending, *ends])
        if not sending.cancelled() and (failure := sending.exception()):
            raise failure
        # The client may be gone.
        with contextlib.suppress(OSError, RuntimeError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        with contextlib.suppress(NotAuthenticated, Unavailable):
            async with contextlib.aclosing(self.events) as events:
                async for event in events:
                    text = _ALIVE if event is None else _next(event)
                    await send({"type": "http.response.body", "body": text, "more_body": True})
            await send({"type": "http.response.body", "body": _COMPLETE, "more_body": True})

    async def _client_has_left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def only(content: dict[str, object]) -> AsyncGenerator[Event | None, None]:
    """The one result of a query or mutation."""
    yield Event(content)


def _next(event: Event) -> bytes:
    id_line = b"" if event.cursor is None else f"id: {event.cursor}\n".encode()
    return id_line + b"event: next\ndata: " + msgspec.json.encode(event.content) + b"\n\n"
