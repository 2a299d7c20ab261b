"""Compresses pages and static files with gzip for clients that accept it, as far as that is safe.

A compressed page that contains both a secret and text chosen by another site can give the secret away by its length (BREACH). So
a page is compressed only if the browser says that no other site had it requested, and an answer to a form, which may show a new
key, never.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Any, Final

from app.asgi import Header, Scope, Send, header

_PAGE: Final = b"text/html"
_TEXTS: Final = (_PAGE, b"text/css", b"text/javascript", b"application/javascript", b"image/svg+xml", b"text/plain")
# Below it, the headers are most of the response.
_LEAST_BYTES: Final = 1024
_PAGE_LEVEL: Final = 5


class Compression:
    """Wraps the `send` of requests. A static file is compressed once: its address never means another file."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def wrap(self, scope: Scope, send: Send) -> Send:
        if scope["method"] != "GET" or "gzip" not in header(scope, b"accept-encoding"):
            return send
        return _Compressing(scope, send, self._files).send


class _Compressing:
    """Holds the first message back until the whole body is there. Streams and files of other kinds pass unchanged."""

    def __init__(self, scope: Scope, send: Send, files: dict[str, bytes]) -> None:
        self._scope, self._send, self._files = scope, send, files
        self._start: Any = None
        self._body = bytearray()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and self._applies_to(message):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()
        else:
            await self._send(message)

    def _applies_to(self, start: Any) -> bool:
        headers = {name.lower(): value for name, value in start["headers"]}
        kind = headers.get(b"content-type", b"").partition(b";")[0]
        if start["status"] in (204, 206, 304) or b"content-encoding" in headers or kind not in _TEXTS:
            return False
        return kind != _PAGE or header(self._scope, b"sec-fetch-site") in ("same-origin", "none")

    async def _finish(self) -> None:
        body, headers = bytes(self._body), list(self._start["headers"])
        if len(body) >= _LEAST_BYTES:
            body = await self._compressed(body)
            headers = [
                *_without(headers, b"content-length"),
                (b"content-encoding", b"gzip"),
                (b"content-length", b"%d" % len(body)),
            ]
        varied = b", ".join([value for name, value in headers if name.lower() == b"vary"] + [b"Accept-Encoding, Sec-Fetch-Site"])
        await self._send({**self._start, "headers": [*_without(headers, b"vary"), (b"vary", varied)]})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _compressed(self, body: bytes) -> bytes:
        path = self._scope["path"]
        if not path.startswith("/static/") or self._start["status"] != 200:
            return gzip.compress(body, _PAGE_LEVEL, mtime=0)
        if path not in self._files:
            # The largest take a tenth of a second.
            self._files[path] = await asyncio.to_thread(gzip.compress, body, 9, mtime=0)
        return self._files[path]


def _without(headers: list[Header], left_out: bytes) -> list[Header]:
    return [(name, value) for name, value in headers if name.lower() != left_out]
