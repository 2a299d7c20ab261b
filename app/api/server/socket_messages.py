"""Messages and close codes of `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.api.execution.http import MAXIMUM_BODY
from app.asgi import Receive, Send

PROTOCOL: Final = "graphql-transport-ws"
_CLOSE_SECONDS: Final = 1.0


class Close(Exception):
    """Ends the connection with this code (RFC 6455 section 7.4, and those of the protocol)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason

    @classmethod
    def invalid(cls) -> Close:
        return cls(4400, "Invalid message")

    @classmethod
    def unauthorized(cls) -> Close:
        """Clients do not connect again after it."""
        return cls(4401, "Unauthorized")

    @classmethod
    def forbidden(cls) -> Close:
        return cls(4403, "Forbidden")

    @classmethod
    def restarting(cls) -> Close:
        """Clients connect again."""
        return cls(1012, "Service restart")

    @classmethod
    def later(cls) -> Close:
        """Clients connect again."""
        return cls(1013, "Try again later")

    @classmethod
    def left(cls) -> Close:
        """The client is gone already."""
        return cls(1000, "")


class Message(msgspec.Struct):
    """What a client sends."""

    type: str
    id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")

    def named(self, name: str) -> str | None:
        """The value of this lower-case name, in any case, of the payload. Raises Close."""
        try:
            found = msgspec.json.decode(self.payload)
        except (msgspec.MsgspecError, RecursionError):
            raise Close.invalid() from None
        given = {key.lower(): value for key, value in found.items()}.get(name) if isinstance(found, dict) else None
        return None if given is None else str(given)


async def next_message(receive: Receive) -> Message:
    """Raises Close when there is none, or for one that is not of the protocol."""
    try:
        found = await receive()
    except (OSError, RuntimeError):
        raise Close.left() from None
    if found["type"] == "websocket.disconnect":
        raise Close.left()
    text = found.get("text")
    if text is None:
        raise Close.invalid()
    if len(text) > MAXIMUM_BODY:
        raise Close(1009, "Message too big")
    try:
        return msgspec.json.decode(text, type=Message)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise Close.invalid() from None


async def send_message(send: Send, message: Mapping[str, Any]) -> int:
    """Returns its length, which the server may keep until the client reads it. Raises Close when the client has left."""
    text = msgspec.json.encode(message).decode()
    try:
        await send({"type": "websocket.send", "text": text})
    except (OSError, RuntimeError):
        raise Close.left() from None
    return len(text)


async def send_close(send: Send, close: Close) -> None:
    # It fails, or waits, when the client has left or reads nothing.
    with contextlib.suppress(OSError, RuntimeError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await send({"type": "websocket.close", "code": close.code, "reason": close.reason})
