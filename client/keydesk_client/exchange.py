"""One request on its way through the application: how it ended is told once, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from keydesk_client.asgi import ASGIApp, Message, Receive, Scope, Send

# The usual word of HTTP servers for a client that hung up before it was answered.
HUNG_UP: Final = 499
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
_BODIES: Final = frozenset({"http.response.body", "websocket.http.response.body"})


class Exchange:
    """Stands between the server and the application and watches the response go by.

    `tell` gets the status when the response is complete, so that work after it (background tasks) delays nothing; an
    exception before that is a 500, whatever had been sent; a client that hangs up leaves the status it was being sent.
    """

    def __init__(self, receive: Receive, send: Send, tell: Callable[[int], None]) -> None:
        self._receive, self._send, self._tell = receive, send, tell
        self._status: int | None = None
        self._gone = False
        self._told = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._hear, self._say)
        except asyncio.CancelledError:
            self._gone = True
            raise
        except BaseException:
            self._end(self._left_at() if self._gone else 500)
            raise
        finally:
            self._end(self._left_at())

    async def _hear(self) -> Message:
        message = await self._receive()
        self._gone = self._gone or message["type"] in ("http.disconnect", "websocket.disconnect")
        return message

    async def _say(self, message: Message) -> None:
        kind = message["type"]
        if kind in _STARTS:
            self._status = message["status"]
        elif kind == "websocket.close":
            self._end(403)  # what servers answer to a close before the handshake; after it, this was told already
        try:
            await self._send(message)
        except OSError:
            self._gone = True  # which is how an ASGI server says so
            raise
        if kind == "websocket.accept":
            self._end(101)
        elif kind in _BODIES and not message.get("more_body"):
            self._end(self._left_at())

    def _left_at(self) -> int:
        """Without any response servers answer 500, if there is somebody to answer."""
        return self._status if self._status is not None else HUNG_UP if self._gone else 500

    def _end(self, status: int) -> None:
        if not self._told:
            self._told = True
            self._tell(status)
