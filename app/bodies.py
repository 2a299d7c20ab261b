"""Bodies of requests: read whole, within a limit of bytes and of time, wherever they are read."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

# A body has this long to arrive, from the first look at it to its last byte, however its pieces are spread.
BODY_SECONDS: Final = 10.0

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class BodyTooLarge(Exception):
    """The body is larger than its limit, by its announcement or by what came."""


class BodyTimeout(Exception):
    """The body was not complete in time. The connection is of no further use: what follows on it is the rest of the body."""


class ClientGone(Exception):
    """The client hung up before its body was complete; nobody waits for an answer."""


async def read_body(receive: Receive, announced: bytes | None, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to have more than `limit` bytes, BodyTimeout, ClientGone.

    It is whole once it has its announced length: the server's word that nothing follows is not awaited, because it
    costs as much as judging a verification.
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
                    # A byte order mark is no part of JSON or of a form, and a reader may leave it out (RFC 8259 section 8.1).
                    return bytes(body).removeprefix(codecs.BOM_UTF8)
    except TimeoutError:
        raise BodyTimeout from None
