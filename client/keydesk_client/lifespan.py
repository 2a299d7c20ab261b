"""The server's start and stop, which the application may or may not care about: at the stop, everything is reported."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from keydesk_client.asgi import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("keydesk_client")

STARTUP: Final = "lifespan.startup"
SHUTDOWN: Final = "lifespan.shutdown"


class Lifespan:
    """Passes both on to the application, speaks for it where it is silent, and drains before the server may end."""

    def __init__(self, receive: Receive, send: Send, drain: Callable[[], Awaitable[None]]) -> None:
        self._receive, self._send, self._drain = receive, send, drain
        self._heard: set[str] = set()
        self._said: set[str] = set()

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._hear, self._say)
        except Exception as error:
            if self._said:
                await self._drain()
                raise
            # The protocol's way of saying "I do not know this kind of scope".
            logger.debug("the application takes no part in the server's lifespan (%s)", type(error).__name__)
        if f"{STARTUP}.failed" not in self._said:
            await self._speak_for(STARTUP)
            await self._speak_for(SHUTDOWN)

    async def _speak_for(self, event: str) -> None:
        if f"{event}.complete" in self._said or f"{event}.failed" in self._said:
            return
        while event not in self._heard:
            await self._hear()
        await self._say({"type": f"{event}.complete"})

    async def _hear(self) -> Message:
        message = await self._receive()
        self._heard.add(message["type"])
        return message

    async def _say(self, message: Message) -> None:
        if message["type"].startswith(SHUTDOWN):
            await self._drain()
        self._said.add(message["type"])
        await self._send(message)
