"""Live pages by server-sent events; the reader's permission is checked again before each event.

All streams of one subject share one poll: a cheap query once a second whether anything has changed, and only then the
expensive read. A stream is optional. It ends with the session, with the node, after a time limit, and when there are too
many; the page then polls from time to time, and reconnects.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from litestar import Response
from litestar.response import Stream

from app import database
from app.errors import KeydeskError, TooManyAttempts, Unavailable
from app.pace import Share
from app.sessions import service as sessions
from app.web.framework.session_auth import Visitor

MOST: Final = 200
MOST_OF_SESSION: Final = 5
MOST_OF_WORKSPACE: Final = 20
TICK_SECONDS: Final = 1.0
# The fraction of the event loop that all streams of a node may use together: ticks become longer if they need more.
SHARE: Final = 0.05
LIFE_SECONDS: Final = 600.0
# How often a stream sends a heartbeat, so that proxies keep it open, and checks that its reader still has access.
SILENCE_SECONDS: Final = 15.0
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
_log = logging.getLogger("keydesk.web")

Snapshot = TypeVar("Snapshot")


@dataclass(frozen=True, slots=True)
class Subject(Generic[Snapshot]):
    """What a stream watches, shared by all its readers; `name` identifies it.

    `version` is a cheap query whose result changes whenever the data does; `load` is expensive; `shown_part` is what must have
    changed for the page to be sent again. An exception from any of them ends the streams.
    """

    name: str
    workspace_id: str
    version: Callable[[Snapshot], Awaitable[object]]
    load: Callable[[Snapshot], Awaitable[Snapshot]]
    shown_part: Callable[[Snapshot], object]


@dataclass(slots=True)
class _Topic(Generic[Snapshot]):
    """A subject with its last state and the number of its streams."""

    subject: Subject[Snapshot]
    snapshot: Snapshot
    version: object = None
    watchers: int = 0
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> None:
        with database.settled_once():
            version = await self.subject.version(self.snapshot)
            if version != self.version:
                self.show(await self.subject.load(self.snapshot))
                self.version = version

    def show(self, snapshot: Snapshot) -> None:
        differs, self.snapshot = self.subject.shown_part(snapshot) != self.subject.shown_part(self.snapshot), snapshot
        if differs:
            self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class EventStreams:
    """The streams of this node; they end when `stopping` is set."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping, self._share = stopping, Share(SHARE, lambda: not stopping.is_set())
        self._topics: dict[str, _Topic[Any]] = {}
        self._open: Counter[str] = Counter()
        self._asking: asyncio.Task[None] | None = None

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
        limits = {visitor.session.id: MOST_OF_SESSION, subject.workspace_id: MOST_OF_WORKSPACE}
        self._require_room(limits)

        async def event(topic: _Topic[Snapshot]) -> str | None:
            await allowed()
            return _event(await render(topic.snapshot)) if await sessions.is_signed_in(visitor.token) else None

        return Stream(self._events(limits, subject, snapshot, event), media_type="text/event-stream", headers=_HEADERS)

    def _require_room(self, limits: dict[str, int]) -> None:
        if any(self._open[name] >= most for name, most in limits.items()):
            raise TooManyAttempts(retry_after_seconds=30)
        if self._open.total() >= MOST * len(limits):
            raise Unavailable(internal="too many open streams", retry_after_seconds=30)

    async def _events(
        self,
        limits: dict[str, int],
        subject: Subject[Snapshot],
        snapshot: Snapshot,
        event: Callable[[_Topic[Snapshot]], Awaitable[str | None]],
    ) -> AsyncIterator[str]:
        with contextlib.suppress(KeydeskError, TimeoutError):
            # Checked again, because other streams may have started since.
            self._require_room(limits)
            with self._watching(limits, subject, snapshot) as topic:
                async with asyncio.timeout(LIFE_SECONDS):
                    async for each in self._changes(topic, event):
                        yield each

    @contextlib.contextmanager
    def _watching(self, limits: dict[str, int], subject: Subject[Snapshot], snapshot: Snapshot) -> Iterator[_Topic[Snapshot]]:
        topic = self._topics.setdefault(subject.name, _Topic(subject, snapshot))
        self._open.update(limits.keys())
        topic.watchers += 1
        topic.show(snapshot)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            yield topic
        finally:
            self._open.subtract(limits.keys())
            self._open += Counter()  # drops entries at zero
            topic.watchers -= 1
            if not topic.watchers and self._topics.get(subject.name) is topic:
                del self._topics[subject.name]

    async def _changes(
        self, topic: _Topic[Snapshot], event: Callable[[_Topic[Snapshot]], Awaitable[str | None]]
    ) -> AsyncIterator[str]:
        shown: object = None
        while not self._stopping.is_set() and not topic.over:
            changed, shown_part = topic.changed, topic.subject.shown_part(topic.snapshot)
            text = await self._share.of(functools.partial(event, topic))
            if text is None:
                return
            yield text if shown_part != shown else ": still here\n\n"
            shown = shown_part
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    await changed.wait()

    async def _ask(self) -> None:
        """Polls all subjects until no stream is left."""
        while self._topics and not self._stopping.is_set():
            for topic in [*self._topics.values()]:
                await self._share.of(functools.partial(self._ask_about, topic))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._stopping.wait()
        for topic in self._topics.values():
            topic.wake()

    async def _ask_about(self, topic: _Topic[Any]) -> None:
        try:
            await topic.ask()
        except Exception as failure:
            if not isinstance(failure, KeydeskError):
                _log.exception("a live page could not be looked at")
            topic.over = True
            self._topics.pop(topic.subject.name, None)
            topic.wake()


def _event(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
