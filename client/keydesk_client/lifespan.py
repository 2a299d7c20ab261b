"""The ASGI lifespan: reports all outcomes at shutdown, whether or not the application supports lifespan."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from keydesk_client.asgi import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("keydesk_client")

STARTUP: Final = "lifespan.startup"
SHUTDOWN: Final = "lifespan.shutdown"


class Lifespan:
    """Passes startup and shutdown on to the application, answers for it if it does not, and drains before the server may exit."""

    def __init__(self, receive: Receive, send: Send, drain: Callable[[], Awaitable[None]]) -> None:
        self._receive, self._send, self._drain = receive, send, drain
        self._received: set[str] = set()
        self._sent: set[str] = set()

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._observed_receive, self._observed_send)
        except Exception as error:
            if self._sent:
                await self._drain()
                raise
            # In ASGI an exception means that the application does not support this scope type.
            logger.debug("the application takes no part in the server's lifespan (%s)", type(error).__name__)
        if f"{STARTUP}.failed" not in self._sent:
            await self._answer_for_app(STARTUP)
            await self._answer_for_app(SHUTDOWN)

    async def _answer_for_app(self, event: str) -> None:
        if f"{event}.complete" in self._sent or f"{event}.failed" in self._sent:
            return
        while event not in self._received:
            await self._observed_receive()
        await self._observed_send({"type": f"{event}.complete"})

    async def _observed_receive(self) -> Message:
        message = await self._receive()
        self._received.add(message["type"])
        return message

    async def _observed_send(self, message: Message) -> None:
        if message["type"].startswith(SHUTDOWN):
            await self._drain()
        self._sent.add(message["type"])
        await self._send(message)
