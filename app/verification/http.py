"""The responses of `/v1/*`, without a framework: here an empty response costs 40 µs instead of 115."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from app import bodies, ids
from app.asgi import NO_STORE, Header, Receive, Send, send_response

TITLES: Final = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    413: "Content too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}
JSON: Final[Header] = (b"content-type", b"application/json")
# The challenge of RFC 6750 section 3.
CHALLENGE: Final = b'Bearer realm="keydesk"'
PROBLEM: Final[Header] = (b"content-type", b"application/problem+json")


# As in `ids.new`, 32 of the 256 values of a byte for each letter; drawn for many at once, because a system call costs
# as much as a response. The first letters are the time, so that logged requests are inserted at the end of their index.
_LETTERS: Final = bytes(ord(ids.ALPHABET[byte % 32]) for byte in range(256))
_LENGTH: Final = 13
_DRAWN: Final = 200
_drawn: list[str] = []


def new_request_id() -> str:
    """A fresh `req_…`."""
    if not _drawn:
        letters = os.urandom(_LENGTH * _DRAWN).translate(_LETTERS).decode("ascii")
        _drawn.extend(letters[start : start + _LENGTH] for start in range(0, len(letters), _LENGTH))
    return "req_" + _time_letters(int(time.time())) + _drawn.pop()


@lru_cache(maxsize=4)
def _time_letters(seconds: int) -> str:
    """They sort like the time, until the year 3059."""
    return "".join(ids.SORTED[seconds >> shift & 31] for shift in range(30, -1, -5))


class Refused(Exception):
    """An RFC 9457 problem: status, stable code, a sentence, and headers. `request_id`: that of the request, if it has one."""

    def __init__(self, status: int, code: str, detail: str, *headers: Header, request_id: str | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.request_id = request_id or new_request_id()
        self.status, self.code, self.detail, self.headers, self.more = status, code, detail, headers, more

    async def send(self, send: Send) -> None:
        problem = {
            "type": f"urn:keydesk:problem:{self.code.lower().replace('_', '-')}",
            "title": TITLES[self.status],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": f"urn:keydesk:request:{self.request_id}",
            **self.more,
        }
        await send_json(send, self.status, problem, [*self.headers], PROBLEM)


def send_json(send: Send, status: int, content: Any, headers: list[Header], kind: Header = JSON) -> Awaitable[None]:
    body = msgspec.json.encode(content)
    return send_response(send, status, [kind, (b"content-length", b"%d" % len(body)), NO_STORE, *headers], body)


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """Like `bodies.read_body`. Raises Refused for a compressed, too large or too slow body."""
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "The body is compressed. Send it without Content-Encoding.")
    try:
        return await bodies.read_body(receive, headers.get(b"content-length"), limit)
    except bodies.BodyTooLarge:
        raise Refused(413, "CONTENT_TOO_LARGE", f"A body has {limit // 1024} KiB at most.") from None
    except bodies.BodyTimeout:
        detail = f"The body did not arrive within {bodies.BODY_SECONDS:g} seconds."
        raise Refused(408, "REQUEST_TIMEOUT", detail, (b"connection", b"close")) from None
