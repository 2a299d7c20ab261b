"""Reads whole request bodies, within limits of size and time."""

from __future__ import annotations

import asyncio
import codecs
from typing import Final

from app.asgi import Receive

# The time for a whole body to arrive, from the first read to the last byte.
BODY_SECONDS: Final = 10.0


class BodyTooLarge(Exception):
    """The body exceeds its limit, by `Content-Length` or by the bytes received."""


class BodyTimeout(Exception):
    """The body was not complete in time. The connection cannot be reused: the rest of the body follows on it."""


class ClientGone(Exception):
    """The client disconnected before its body was complete; no response is needed."""


async def read_body(receive: Receive, announced: bytes | None, limit: int) -> bytes:
    """Reads the whole body. Raises BodyTooLarge as soon as it is known to exceed `limit` bytes, BodyTimeout, ClientGone.

    It is complete once it has its announced length: the final empty message is not awaited, because that costs as
    much as a verdict.
    """
    expected = int(announced[:20]) if announced is not None and announced.isdigit() else None
    if expected is not None and expected > limit:
        raise BodyTooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise BodyTooLarge
                if not message.get("more_body") or len(body) == expected:
                    # A byte order mark is not part of JSON or of a form, and a parser may ignore it (RFC 8259 section 8.1).
                    return bytes(body).removeprefix(codecs.BOM_UTF8)
    except TimeoutError:
        raise BodyTimeout from None
