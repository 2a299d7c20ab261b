"""Pages that show what happens while it happens: server-sent events, asked for anew and allowed anew before each of them.

A stream is an extra. It ends with the session, with the node, after a while anyway, and when there are too many; the page
then asks for itself now and again, and connects once more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from litestar import Response
from litestar.response import Stream

from app.accounts import service as accounts
from app.errors import KeydeskError, Unavailable

MOST: Final = 200
TICK_SECONDS: Final = 1.0
LIFE_SECONDS: Final = 600.0
# A comment now and then, so that proxies do not take a quiet stream for a dead one.
SILENCE_SECONDS: Final = 15.0
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}

Look = Callable[[], Awaitable[tuple[object, str]]]


class Live:
    """The streams of this node; they end when `stopping` is set."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._open = 0

    def stream(self, token: str, look: Look) -> Response[Any]:
        """`look` answers what the part is made of and its HTML, which is sent whenever the former has changed.

        Raises Unavailable when too many are open; what `look` raises ends the stream.
        """
        if self._open >= MOST:
            raise Unavailable(internal="too many open streams", retry_after_seconds=30)
        return Stream(self._events(token, look), media_type="text/event-stream", headers=_HEADERS)

    async def _events(self, token: str, look: Look) -> AsyncIterator[str]:
        self._open += 1
        try:
            with contextlib.suppress(KeydeskError, TimeoutError):
                async with asyncio.timeout(LIFE_SECONDS):
                    async for event in self._changes(token, look):
                        yield event
        finally:
            self._open -= 1

    async def _changes(self, token: str, look: Look) -> AsyncIterator[str]:
        shown, silence = object(), 0.0
        while not self._stopping.is_set() and await accounts.is_signed_in(token):
            made_of, text = await look()
            silence = 0.0 if made_of != shown else silence + TICK_SECONDS
            if made_of != shown:
                yield _event(text)
                shown = made_of
            elif silence >= SILENCE_SECONDS:
                yield ": still here\n\n"
                silence = 0.0
            await self._tick()

    async def _tick(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await self._stopping.wait()


def _event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
