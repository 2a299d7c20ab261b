"""Observes one request and response, and reports the request's outcome exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from keydesk_client.asgi import ASGIApp, Message, Receive, Scope, Send

# The usual status of HTTP servers for a client that disconnected before it was answered.
CLIENT_DISCONNECTED: Final = 499
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})
_BODIES: Final = frozenset({"http.response.body", "websocket.http.response.body"})


class Exchange:
    """Wraps `receive` and `send` between the server and the application, and observes the response.

    `report` gets the status when the response is complete, so that work after it (background tasks) delays nothing. An
    exception before that counts as 500, even if the response had begun. If the client disconnects, the status is the one
    that was being sent.
    """

    def __init__(self, receive: Receive, send: Send, report: Callable[[int], None]) -> None:
        self._receive, self._send, self._report = receive, send, report
        self._status: int | None = None
        self._disconnected = False
        self._reported = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._observed_receive, self._observed_send)
        except asyncio.CancelledError:
            self._disconnected = True
            raise
        except BaseException:
            self._end(self._final_status() if self._disconnected else 500)
            raise
        finally:
            self._end(self._final_status())

    async def _observed_receive(self) -> Message:
        message = await self._receive()
        if message["type"] in ("http.disconnect", "websocket.disconnect"):
            self._disconnected = True
        return message

    async def _observed_send(self, message: Message) -> None:
        kind = message["type"]
        if kind in _STARTS:
            self._status = message["status"]
        elif kind == "websocket.close":
            self._end(403)  # servers answer 403 to a close before the handshake; after it, the outcome was already reported
        try:
            await self._send(message)
        except OSError:
            self._disconnected = True  # ASGI servers raise OSError for a client that has disconnected
            raise
        if kind == "websocket.accept":
            self._end(101)
        elif kind in _BODIES and not message.get("more_body"):
            self._end(self._final_status())

    def _final_status(self) -> int:
        """Without any response servers answer 500, if the client is still connected."""
        if self._status is not None:
            return self._status
        return CLIENT_DISCONNECTED if self._disconnected else 500

    def _end(self, status: int) -> None:
        if not self._reported:
            self._reported = True
            self._report(status)
