"""Sends real requests to a real node with little overhead, so that the node is the bottleneck: HTTP/1.1 over plain streams.

Distinguishes a request without an answer from one that was never sent, because only the first may have been processed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from app.errors import Unavailable
from tests.support.graphql import operation

T = TypeVar("T")
# A generous limit, not a guarantee: a node on a busy machine may need several attempts.
DECIDED_WITHIN_SECONDS = 60
PAUSE_SECONDS = 0.2


class Unsent(Exception):
    """There was no connection: the node never received the request."""


class Unanswered(Exception):
    """The request was sent, and no complete answer arrived: the node may or may not have processed it."""


class Undecided(Exception):
    """The node answered that it does not know the result: it may or may not have processed the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP response."""

    status: int
    head: bytes
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        found = re.search(rb"(?im)^%s: *([^\r]*)" % name.encode(), self.head)
        return found.group(1).decode() if found else None


async def decided(send: Callable[[], Awaitable[Answer]]) -> Answer:
    """Sends a request until its answer is not a 503, as callers do: each time after the seconds in `Retry-After`. A busy machine
    may answer 503 for a moment; TimeoutError if it does so for a minute."""
    async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
        while (answer := await send()).status == 503:
            await asyncio.sleep(int(answer.header("retry-after") or 1))
        return answer


async def known(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call, which must be one that may be repeated, until its result is known: a busy database may not answer in time.
    TimeoutError if it does so for a minute."""
    async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
        while True:
            with contextlib.suppress(Undecided, Unavailable):
                return await attempt()
            await asyncio.sleep(PAUSE_SECONDS)


class Wire:
    """One connection to a local node, opened when needed, for one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def post(self, path: str, content: object, *, token: str | None = None) -> Answer:
        """Sends JSON. Raises Unsent or Unanswered; the next request then opens a new connection."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.send("POST", path, body, {"authorization": f"Bearer {token}"} if token else {})

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Sends any request; its body is JSON unless the headers say otherwise."""
        own = {"host": f"127.0.0.1:{self.port}", "content-type": "application/json", "content-length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (own | dict(headers or {})).items())
        return await self.send_raw(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body)

    async def send_raw(self, request: bytes) -> Answer:
        """Sends exactly these bytes."""
        reader, writer = await self._connected()
        try:
            writer.write(request)
            return await _read(reader, with_body=not request.startswith(b"HEAD"))
        except (OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise Unanswered from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            await self.close()  # the node closed the idle connection
        if self._streams is None:
            try:
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                raise Unsent from error
        return self._streams


class Gateway(Wire):
    """A protected API that verifies keys with one node and a gateway token; `undecided` counts the verifications answered 503."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(port)
        self.token = token
        self.undecided = 0

    async def verify(self, key: str, **asked: Any) -> Answer:
        answer = await self.post("/v1/verify", {"key": key} | asked, token=self.token)
        self.undecided += answer.status == 503
        return answer

    async def verdict(self, key: str, **asked: Any) -> Answer:
        """Verifies until the answer is not a 503; see `decided`."""
        return await decided(lambda: self.verify(key, **asked))

    async def report(self, batch: str, events: list[dict[str, Any]]) -> Answer:
        return await self.post("/v1/usage", {"batchId": batch, "events": events}, token=self.token)


class Program(Wire):
    """A program that uses one node's GraphQL, with a management key."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(port)
        self.token = token

    async def ask(self, query: str, /, **variables: Any) -> Any:
        """Returns `data`. Raises Undecided, or AssertionError with the server's answer if it is not a 200 without errors."""
        answer = await self.post("/graphql", {"query": query, "variables": variables}, token=self.token)
        if {error["extensions"]["code"] for error in answer.json().get("errors", [])} == {"UNAVAILABLE"}:
            raise Undecided
        assert answer.status == 200, (answer.status, answer.body)
        assert "errors" not in answer.json(), answer.body
        return answer.json()["data"]

    async def change(self, name: str, /, **given: Any) -> Any:
        """Runs a published mutation with this input and returns its result."""
        (found,) = (await self.ask(operation(name), input=given)).values()
        return found


async def _read(reader: asyncio.StreamReader, *, with_body: bool) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if not with_body or status in (204, 304):
        return Answer(status, head, b"")
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    body = await (reader.readexactly(int(length.group(1))) if length else _chunks(reader))
    return Answer(status, head, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while size := int(await reader.readline(), 16):
        found += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return found
