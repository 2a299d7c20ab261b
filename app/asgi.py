"""ASGI without a framework: its types, the headers of a request, and whole responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

NO_STORE: Final[Header] = (b"cache-control", b"no-store")


async def send_response(send: Send, status: int, headers: list[Header], body: bytes = b"") -> None:
    """Sends a whole response with exactly these headers."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_content(send: Send, status: int, kind: bytes, body: bytes, *headers: Header) -> None:
    """Sends a whole response with a body: adds `content-type` and `content-length`."""
    await send_response(send, status, [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers], body)


async def send_text(send: Send, status: int, text: str, *headers: Header) -> None:
    """Like `send_content` with plain text."""
    await send_content(send, status, b"text/plain; charset=utf-8", text.encode(), *headers)


def at_start(send: Send, change: Callable[[Message], Message]) -> Send:
    """A `send` that lets `change` edit the first message of a response: status and headers."""

    async def send_changed(message: Message) -> None:
        await send(change(message) if message["type"] == "http.response.start" else message)

    return send_changed


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """All lines of a header joined with commas; empty if there is none."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)


def headers_of(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    """All values of each header, by lower-case name."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found
