"""Compresses pages and static files with gzip for clients that accept it, as far as that is safe.

A compressed page that contains both a secret and text chosen by another site can give the secret away by its length (BREACH). So
a page is compressed only if the browser says that no other site had it requested, and an answer to a form, which may show a new
key, never.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Iterable
from typing import Any, Final

from app.asgi import Header, Scope, Send, header

_PAGE: Final = b"text/html"
_TEXTS: Final = (_PAGE, b"text/css", b"text/javascript", b"application/javascript", b"image/svg+xml", b"text/plain")
# Below it, the headers are most of the response.
_LEAST_BYTES: Final = 1024
_PAGE_LEVEL: Final = 5
# RFC 9110, section 12.5.3: a weight of 0 refuses an encoding.
_GZIP: Final = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)", re.IGNORECASE)


class Compression:
    """Wraps the `send` of requests. The `files` at these paths are compressed once each: a path never means another file."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files: dict[str, bytes | None] = dict.fromkeys(files)

    def wrap(self, scope: Scope, send: Send) -> Send:
        return _Compressing(scope, send, self._files).send if scope["method"] == "GET" else send


class _Compressing:
    """Holds the first message back until the whole body is there. Streams and files of other kinds pass unchanged."""

    def __init__(self, scope: Scope, send: Send, files: dict[str, bytes | None]) -> None:
        self._scope, self._send, self._files = scope, send, files
        # As it was asked for: the router of static files normalizes it.
        self._path: str = scope["path"]
        self._start: Any = None
        self._body = bytearray()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            message = self._varied(message)
            if self._is_wanted(message):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()
            return
        await self._send(message)

    def _varied(self, start: Any) -> Any:
        """The start with a `Vary`, which caches need whether or not this answer is compressed."""
        kind = _kind(start)
        if kind not in _TEXTS:
            return start
        names = [value for name, value in start["headers"] if name.lower() == b"vary"] + [b"Accept-Encoding"]
        if kind == _PAGE:
            names.append(b"Sec-Fetch-Site")
        return {**start, "headers": [*_without(start["headers"], b"vary"), (b"vary", b", ".join(names))]}

    def _is_wanted(self, start: Any) -> bool:
        kind = _kind(start)
        if start["status"] in (204, 206, 304) or kind not in _TEXTS or _value(start, b"content-encoding"):
            return False
        if _GZIP.search(header(self._scope, b"accept-encoding")) is None:
            return False
        if kind == _PAGE:
            return header(self._scope, b"sec-fetch-site") in ("same-origin", "none")
        return self._path in self._files

    async def _finish(self) -> None:
        start, body = self._start, bytes(self._body)
        if len(body) >= _LEAST_BYTES:
            body = await self._compressed(body)
            headers = _without(start["headers"], b"content-length", b"etag")
            if etag := _value(start, b"etag"):
                # The bytes differ from the file's, so that a strong one would be wrong (RFC 9110, section 8.8.1).
                headers.append((b"etag", etag if etag.startswith(b"W/") else b"W/" + etag))
            headers += [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(body))]
            start = {**start, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _compressed(self, body: bytes) -> bytes:
        if self._path not in self._files:
            return gzip.compress(body, _PAGE_LEVEL, mtime=0)
        if (known := self._files[self._path]) is None:
            # The largest take a tenth of a second.
            self._files[self._path] = known = await asyncio.to_thread(gzip.compress, body, 9, mtime=0)
        return known


def _kind(start: Any) -> bytes:
    """The media type, without its parameters."""
    return _value(start, b"content-type").partition(b";")[0]


def _value(start: Any, wanted: bytes) -> bytes:
    return next((value for name, value in start["headers"] if name.lower() == wanted), b"")


def _without(headers: Iterable[Header], *left_out: bytes) -> list[Header]:
    return [(name, value) for name, value in headers if name.lower() not in left_out]
