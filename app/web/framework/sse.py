"""Live pages by server-sent events; the reader's permission is checked again before each event.

A stream is optional. It ends with the session, with the node, after a time limit, and when there are too many; the page then
polls from time to time, and reconnects.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from litestar import Response
from litestar.response import Stream

from app.errors import KeydeskError, TooManyAttempts, Unavailable
from app.live import Kind, Live, Subject, Topic, until
from app.sessions import service as sessions
from app.web.framework.session_auth import Visitor

MOST: Final = 200
MOST_OF_SESSION: Final = 5
MOST_OF_WORKSPACE: Final = 20
LIFE_SECONDS: Final = 600.0
# How often a stream sends a heartbeat, so that proxies keep it open, and checks that its reader still has access.
SILENCE_SECONDS: Final = 15.0
_ALL: Final = "pages"
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}

Snapshot = TypeVar("Snapshot")


class EventStreams:
    """The streams of this node's pages."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def stream(
        self,
        visitor: Visitor,
        subject: Subject[Snapshot],
        snapshot: Snapshot,
        *,
        allowed: Callable[[], Awaitable[object]],
        render: Callable[[Snapshot], Awaitable[str]],
    ) -> Response[Any]:
        """Sends `seen` as HTML, and again whenever its shape has changed.

        `allowed` raises when the reader has lost access, which ends the stream. Raises TooManyAttempts when this session
        or workspace has too many streams, Unavailable when the node has.
        """
        limits = {visitor.session.id: MOST_OF_SESSION, f"pages {subject.workspace_id}": MOST_OF_WORKSPACE, _ALL: MOST}
        self._require_room(limits)

        async def event(topic: Topic[Snapshot]) -> str | None:
            await allowed()
            return _event(await render(topic.snapshot)) if await sessions.is_signed_in(visitor.token) else None

        return Stream(self._events(limits, subject, snapshot, event), media_type="text/event-stream", headers=_HEADERS)

    def _require_room(self, limits: dict[str, int]) -> None:
        full = self._live.full(limits)
        if full == _ALL:
            raise Unavailable(internal="too many open streams", retry_after_seconds=30)
        if full is not None:
            raise TooManyAttempts(retry_after_seconds=30)

    async def _events(
        self,
        limits: dict[str, int],
        subject: Subject[Snapshot],
        snapshot: Snapshot,
        event: Callable[[Topic[Snapshot]], Awaitable[str | None]],
    ) -> AsyncIterator[str]:
        with contextlib.suppress(KeydeskError, TimeoutError):
            # Checked again, because other streams may have started since.
            self._require_room(limits)
            with self._live.counted(Kind.PAGE, limits), self._live.watching(subject, snapshot) as topic:
                async with asyncio.timeout(LIFE_SECONDS):
                    async for each in self._changes(topic, event):
                        yield each

    async def _changes(
        self, topic: Topic[Snapshot], event: Callable[[Topic[Snapshot]], Awaitable[str | None]]
    ) -> AsyncIterator[str]:
        shown: object = None
        while not self._live.is_over(topic):
            changed, shown_part = topic.changed, topic.shown_part
            text = await self._live.share.of(functools.partial(event, topic))
            if text is None:
                return
            yield text if shown_part != shown else ": still here\n\n"
            shown = shown_part
            await until(changed, SILENCE_SECONDS)


def _event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
