"""One WebSocket whose client is known: its operations, and its end.

Mutations are sent with POST: an answer that may contain a secret should not depend on a connection that can be cut at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Final

from graphql import OperationType

from app.access.actor import Actor
from app.api.execution import http
from app.api.execution.http import Refused
from app.api.execution.rate import LEAST
from app.api.framework.context import Subscriber
from app.api.framework.events import CHECK_SECONDS, MOST_OF_CALLER
from app.api.server.operations import Event, Operations, Prepared, Unfit
from app.api.server.socket_messages import Close, Message, next_message, send_close, send_message
from app.asgi import Receive, Send
from app.errors import NotAllowed, NotAuthenticated, Unavailable
from app.live import Live, until

# Proxies close connections on which nothing is sent, often after a minute.
PING_EVERY: Final = 3
# The server keeps what a client does not read: after so many characters a client must answer a ping before operations continue.
MOST_UNREAD: Final = 256 * 1024
UNREAD_SECONDS: Final = 30.0
# An answer with the ping's payload proves what was read; without such a proof a client gets no more than this.
MOST_UNPROVED: Final = 4 * 1024 * 1024
# Messages repeat the operation's id.
LONGEST_ID: Final = 100
# The reason of a close has at most 123 bytes.
_SHOWN_BYTES: Final = 80
_NO_MUTATIONS: Final = "Send mutations with POST."
_TOO_MANY: Final = f"There are {MOST_OF_CALLER} operations in this connection already. End one first."
_log = logging.getLogger("keydesk.api")

Authenticate = Callable[[], Awaitable[Actor]]


class Connection:
    """`authenticate` authenticates the client again."""

    def __init__(
        self, operations: Operations, live: Live, authenticate: Authenticate, actor: Actor, receive: Receive, send: Send
    ) -> None:
        self._operations, self._live = operations, live
        self._authenticate, self._actor = authenticate, actor
        self._receive, self._to = receive, send
        self._running: dict[str, asyncio.Task[None]] = {}
        self._unread, self._answered, self._line = 0, asyncio.Event(), asyncio.Lock()
        # Of the ping whose answer counts, and what was unread before it.
        self._nonce, self._before = "", 0

    async def run(self) -> None:
        """Returns when the connection is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._until_stopped())
                tasks.create_task(self._check())
                await self._send("connection_ack")
                while True:
                    await self._handle(await next_message(self._receive), tasks)
        except* Close as closing:
            await send_close(self._to, _first(closing))
        except* Exception as failures:
            _log.error("a WebSocket has failed", exc_info=failures)
            await send_close(self._to, Close(1011, "Internal error"))

    async def _until_stopped(self) -> None:
        await self._live.stopping.wait()
        raise Close.restarting()

    async def _check(self) -> None:
        """Ends the connection soon after its client's credential has ended; says now and then that it is alive."""
        checks = 0
        while not await until(self._live.stopping, CHECK_SECONDS):
            with self._closing():
                self._actor = await self._live.share.of(self._authenticate)
            checks += 1
            if checks % PING_EVERY == 0:
                await self._ping()

    async def _handle(self, message: Message, tasks: asyncio.TaskGroup) -> None:
        # A client may send messages without end that cost nothing else.
        await self._operations.throttle(self._actor, LEAST)
        if len(message.id or "") > LONGEST_ID:
            raise Close.invalid()
        match message.type:
            case "subscribe" if message.id:
                await self._start(message.id, bytes(message.payload), tasks)
            case "complete" if message.id:
                if task := self._running.pop(message.id, None):
                    task.cancel()
            case "ping":
                await self._send("pong")
            case "pong":
                self._pong(message.named("nonce"))
            case "connection_init":
                raise Close(4429, "Too many initialisation requests")
            case _:
                raise Close.invalid()

    async def _start(self, name: str, payload: bytes, tasks: asyncio.TaskGroup) -> None:
        if name in self._running:
            shown = name.encode()[:_SHOWN_BYTES].decode(errors="ignore")
            raise Close(4409, f"Subscriber for {shown} already exists")
        if len(self._running) >= MOST_OF_CALLER:
            # Sent at once: while this waits, nothing receives the answer to a ping.
            await self._send("error", id=name, payload=http.error("TOO_MANY_SUBSCRIPTIONS", _TOO_MANY)["errors"])
            return
        task = self._running[name] = tasks.create_task(self._operate(name, payload))
        task.add_done_callback(lambda _: self._running.pop(name) if self._running.get(name) is task else None)

    async def _operate(self, name: str, payload: bytes) -> None:
        with self._closing():
            try:
                actor = self._actor = await self._authenticate()
                prepared = await self._operations.prepare(http.decode(payload, self._operations.published), actor)
                if prepared.kind is OperationType.MUTATION:
                    raise Refused(400, "BAD_REQUEST", _NO_MUTATIONS)
                async with contextlib.aclosing(self._events(prepared, actor)) as events:
                    async for event in events:
                        if event is not None and "data" not in event.content:
                            await self._refuse(name, event.content)
                            return
                        if event is not None:
                            await self._send_when_read("next", id=name, payload=event.content)
                await self._send_when_read("complete", id=name)
            except Refused as refusal:
                await self._refuse(name, http.error(refusal.code, refusal.message))
            except Unfit as unfit:
                await self._refuse(name, self._operations.refuse(unfit, self._actor)[0])

    def _events(self, prepared: Prepared, actor: Actor) -> AsyncGenerator[Event | None, None]:
        """Those of a subscription, or the one answer to a query."""
        if prepared.kind is OperationType.SUBSCRIPTION:
            return self._operations.events(prepared, Subscriber(self._live, self._authenticate, actor))
        return self._operations.once(prepared, actor)

    @contextlib.contextmanager
    def _closing(self) -> Iterator[None]:
        """Ends the connection when its client may not continue, or should connect again."""
        try:
            yield
        except (NotAuthenticated, NotAllowed):
            raise Close.unauthorized() from None
        except Unavailable:
            raise (Close.restarting() if self._live.stopping.is_set() else Close.later()) from None

    async def _refuse(self, name: str, content: dict[str, Any]) -> None:
        await self._send_when_read("error", id=name, payload=content["errors"])

    async def _send_when_read(self, kind: str, **content: Any) -> None:
        """Waits until the client has read most of what it was sent. Raises Close if it reads nothing."""
        async with self._line:
            if self._unread > MOST_UNREAD:
                self._answered.clear()
                self._nonce = ""
                await self._ping()
                if not await until(self._answered, UNREAD_SECONDS):
                    raise Close.later()
            await self._send(kind, **content)

    async def _send(self, kind: str, **content: Any) -> None:
        """Raises Close for a client that has not proved that it reads."""
        if self._unread > MOST_UNPROVED:
            raise Close.later()
        self._unread += await send_message(self._to, {"type": kind, **content})

    async def _ping(self) -> None:
        if not self._nonce:
            self._nonce, self._before = secrets.token_hex(8), self._unread
        self._unread += await send_message(self._to, {"type": "ping", "payload": {"nonce": self._nonce}})

    def _pong(self, nonce: str | None) -> None:
        """Some clients, such as `gql`, answer without the ping's payload: they may continue, but that proves nothing."""
        if nonce and nonce == self._nonce:
            self._unread -= self._before
            self._nonce = ""
        elif nonce:
            return
        self._answered.set()


def _first(group: BaseExceptionGroup[Close]) -> Close:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
