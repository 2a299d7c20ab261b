"""Clients of subscriptions: over ASGI in this process, and over real connections to a node."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.api.server.sockets import Sockets
from app.asgi import App
from tests.support.graphql import Client, operation

PATIENCE_SECONDS = 60
PROTOCOL = "graphql-transport-ws"
Sent = dict[str, Any]


@dataclass
class Wire:
    """What an ASGI application gets and sends. With `room` it waits to send more than so many messages that are not read."""

    room: int = 0
    inbox: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    outbox: asyncio.Queue[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = asyncio.Queue(self.room)

    @contextlib.asynccontextmanager
    async def running(self, app: App, scope: dict[str, Any]) -> AsyncIterator[Wire]:
        task = asyncio.create_task(app(scope, self.inbox.get, self.outbox.put))
        try:
            yield self
        finally:
            kind = "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"
            self.inbox.put_nowait({"type": kind})
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not task.done():
                    # Takes what it still sends.
                    with contextlib.suppress(asyncio.QueueEmpty):
                        self.outbox.get_nowait()
                    await asyncio.wait([task], timeout=0.01)
            task.result()

    async def sent(self) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.outbox.get()


@dataclass
class Stream:
    """A response of server-sent events. `ids`: those of its events."""

    status: int
    headers: dict[str, str]
    chunks: Callable[[], Any]
    ids: list[str] = field(default_factory=list)
    _text: str = ""

    async def next(self) -> Sent | None:
        """The next result; None at the end, announced or not (`completed`)."""
        while (event := await self.event()) is not None:
            if event.get("event") == "complete":
                self.completed = True
            elif "data" in event:
                self.ids.append(event.get("id", ""))
                return dict(json.loads(event["data"]))
        return None

    completed: bool = False

    async def data(self) -> Any:
        """The only root field of the next result, which has no errors."""
        found = await self.next()
        assert found is not None and "errors" not in found, found
        (value,) = found["data"].values()
        return value

    async def error(self) -> str:
        """The code of the next result's only error; the stream is complete after it."""
        found = await self.next()
        assert found is not None and "data" not in found, found
        (error,) = found["errors"]
        assert await self.next() is None and self.completed
        return str(error["extensions"]["code"])

    async def event(self) -> dict[str, str] | None:
        """The next event as it was sent, a sign of life included; None at the end."""
        while "\n\n" not in self._text:
            async with asyncio.timeout(PATIENCE_SECONDS):
                chunk = await self.chunks()
            if chunk is None:
                return None
            self._text += chunk.decode()
        event, self._text = self._text.split("\n\n", 1)
        return {name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in event.splitlines())}


@contextlib.asynccontextmanager
async def stream(
    client: Client, query: str, /, variables: dict[str, Any] | None = None, *, room: int = 0, **headers: str
) -> AsyncIterator[Stream]:
    """Runs a document with its answer as a stream, over ASGI."""
    own = {"content-type": "application/json", "accept": "text/event-stream", **client.headers}
    own |= {"authorization": f"Bearer {client.token}"} if client.token else {}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": _encoded(own)}
    wire = Wire(room)
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    wire.inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})
    async with wire.running(client.endpoint, scope):
        start = await wire.sent()

        async def chunks() -> bytes | None:
            message = await wire.sent()
            return bytes(message["body"]) if message.get("more_body") or message["body"] else None

        yield Stream(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, chunks)


@contextlib.asynccontextmanager
async def published(client: Client, name: str, /, *, last_event_id: str | None = None, **variables: Any) -> AsyncIterator[Stream]:
    """The stream of a published subscription, over ASGI."""
    resumed = {"last_event_id": last_event_id} if last_event_id else {}
    async with stream(client, operation(name), variables, **resumed) as found:
        assert found.status == 200 and found.headers["content-type"].startswith("text/event-stream")
        yield found


@contextlib.asynccontextmanager
async def streamed(url: str, token: str, name: str, /, **variables: Any) -> AsyncIterator[Stream]:
    """The stream of a published subscription from a node."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    body = {"query": operation(name), "variables": variables}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
        client.stream("POST", f"{url}/graphql", headers=headers, json=body) as answer,
    ):
        raw = answer.aiter_raw()

        async def chunks() -> bytes | None:
            with contextlib.suppress(httpx.TransportError):
                return await anext(raw, None)
            return None

        yield Stream(answer.status_code, dict(answer.headers), chunks)


@dataclass
class Socket:
    """A WebSocket: `take` reads a text or the end, `put` sends a text."""

    take: Callable[[], Any]
    put: Callable[[str], Any]

    async def send(self, kind: str, **content: Any) -> None:
        await self.put(json.dumps({"type": kind, **content}))

    async def next(self) -> Any:
        """The next message but pings; the code with which the connection was closed."""
        while True:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self.take()
            if isinstance(found, int):
                return found
            if (message := json.loads(found))["type"] != "ping":
                return message

    async def begin(self, payload: dict[str, Any] | None = None) -> None:
        await self.send("connection_init", **({"payload": payload} if payload is not None else {}))
        assert await self.next() == {"type": "connection_ack"}

    async def run(self, name: str, /, *, as_: str = "1", **variables: Any) -> None:
        """Begins a published operation."""
        await self.send("subscribe", id=as_, payload={"query": operation(name), "variables": variables})

    async def data(self, of: str = "1") -> Any:
        """The only root field of the next result."""
        message = await self.next()
        assert isinstance(message, dict) and (message["type"], message["id"]) == ("next", of), message
        (value,) = message["payload"]["data"].values()
        return value

    async def error(self, of: str = "1") -> str:
        """The code of the error that ends an operation."""
        message = await self.next()
        assert isinstance(message, dict) and (message["type"], message["id"]) == ("error", of), message
        return str(message["payload"][0]["extensions"]["code"])


@contextlib.asynccontextmanager
async def socket(app: App | Sockets, *, subprotocols: tuple[str, ...] = (PROTOCOL,), **headers: str) -> AsyncIterator[Socket]:
    """A WebSocket over ASGI; before its acceptance `next` returns the code of a refusal."""
    scope = {"type": "websocket", "path": "/graphql", "query_string": b"", "headers": _encoded(headers)}
    scope["subprotocols"] = [*subprotocols]
    wire = Wire()
    wire.inbox.put_nowait({"type": "websocket.connect"})
    async with wire.running(app, scope):

        async def take() -> str | int:
            message = await wire.sent()
            if message["type"] == "websocket.accept":
                assert message["subprotocol"] == PROTOCOL
                return await take()
            return int(message["code"]) if message["type"] == "websocket.close" else str(message["text"])

        async def put(text: str) -> None:
            wire.inbox.put_nowait({"type": "websocket.receive", "text": text})

        yield Socket(take, put)


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Socket]:
    """A WebSocket to a node; `options` are those of `websockets.connect`."""
    address = url.replace("http://", "ws://") + "/graphql"
    async with connect(address, **{"subprotocols": [PROTOCOL], "ping_interval": None, "proxy": None, **options}) as connection:
        yield Socket(_taking(connection), connection.send)


def _taking(connection: ClientConnection) -> Callable[[], Any]:
    async def take() -> str | int:
        try:
            return str(await connection.recv())
        except ConnectionClosed:
            return connection.close_code or 1006

    return take


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
