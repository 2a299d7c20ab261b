"""Pages that show what happens while it happens: server-sent events, allowed anew before each of them.

All who watch the same share one look at it: a cheap question once a second whether anything has changed, and only then the
look itself. A stream is an extra. It ends with the session, with the node, after a while anyway, and when there are too
many; the page then asks for itself now and again, and connects once more.
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

from app.accounts import service as accounts
from app.errors import KeydeskError, TooManyAttempts, Unavailable
from app.pace import Share
from app.web.gate import Visitor

MOST: Final = 200
MOST_OF_SESSION: Final = 5
MOST_OF_WORKSPACE: Final = 20
TICK_SECONDS: Final = 1.0
# What all streams of a node may take of the event loop together: ticks become longer where they need more.
SHARE: Final = 0.05
LIFE_SECONDS: Final = 600.0
# So often a stream says that it is there, lest proxies take it for a dead one, and asks whether its reader may still look.
SILENCE_SECONDS: Final = 15.0
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
_log = logging.getLogger("keydesk.web")

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Subject(Generic[Seen]):
    """What is watched, by whomever: `name` says which one it is.

    `mark` is a cheap question whose answer changes whenever something has; `look` is dear; `shape` is what must have changed
    for the page to be worth sending again. What any of them raises ends the streams.
    """

    name: str
    workspace_id: str
    mark: Callable[[Seen], Awaitable[object]]
    look: Callable[[Seen], Awaitable[Seen]]
    shape: Callable[[Seen], object]


@dataclass(slots=True)
class _Topic(Generic[Seen]):
    """A subject with what was seen of it last, and how many watch."""

    subject: Subject[Seen]
    seen: Seen
    mark: object = None
    watchers: int = 0
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> None:
        mark = await self.subject.mark(self.seen)
        if mark != self.mark:
            self.show(await self.subject.look(self.seen))
            self.mark = mark

    def show(self, seen: Seen) -> None:
        differs, self.seen = self.subject.shape(seen) != self.subject.shape(self.seen), seen
        if differs:
            self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    """The streams of this node; they end when `stopping` is set."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping, self._share = stopping, Share(SHARE, lambda: not stopping.is_set())
        self._topics: dict[str, _Topic[Any]] = {}
        self._open: Counter[str] = Counter()
        self._asking: asyncio.Task[None] | None = None

    def stream(
        self,
        visitor: Visitor,
        subject: Subject[Seen],
        seen: Seen,
        *,
        allowed: Callable[[], Awaitable[object]],
        render: Callable[[Seen], str],
    ) -> Response[Any]:
        """What was `seen` just now as HTML, and again whenever its shape has changed.

        `allowed` raises when the reader may no longer look, which ends the stream. Raises TooManyAttempts when this session
        or workspace has too many streams, Unavailable when the node has.
        """
        places = {visitor.session.id: MOST_OF_SESSION, subject.workspace_id: MOST_OF_WORKSPACE}
        self._require_room(places)

        async def event(topic: _Topic[Seen]) -> str | None:
            await allowed()
            return _event(render(topic.seen)) if await accounts.is_signed_in(visitor.token) else None

        return Stream(self._events(places, subject, seen, event), media_type="text/event-stream", headers=_HEADERS)

    def _require_room(self, places: dict[str, int]) -> None:
        if any(self._open[name] >= most for name, most in places.items()):
            raise TooManyAttempts(retry_after_seconds=30)
        if self._open.total() >= MOST * len(places):
            raise Unavailable(internal="too many open streams", retry_after_seconds=30)

    async def _events(
        self, places: dict[str, int], subject: Subject[Seen], seen: Seen, event: Callable[[_Topic[Seen]], Awaitable[str | None]]
    ) -> AsyncIterator[str]:
        with contextlib.suppress(KeydeskError, TimeoutError):
            # Again, because others may have begun since.
            self._require_room(places)
            with self._watching(places, subject, seen) as topic:
                async with asyncio.timeout(LIFE_SECONDS):
                    async for each in self._changes(topic, event):
                        yield each

    @contextlib.contextmanager
    def _watching(self, places: dict[str, int], subject: Subject[Seen], seen: Seen) -> Iterator[_Topic[Seen]]:
        topic = self._topics.setdefault(subject.name, _Topic(subject, seen))
        self._open.update(places.keys())
        topic.watchers += 1
        topic.show(seen)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            yield topic
        finally:
            self._open.subtract(places.keys())
            self._open += Counter()  # forgets those at zero
            topic.watchers -= 1
            if not topic.watchers and self._topics.get(subject.name) is topic:
                del self._topics[subject.name]

    async def _changes(self, topic: _Topic[Seen], event: Callable[[_Topic[Seen]], Awaitable[str | None]]) -> AsyncIterator[str]:
        shown: object = None
        while not self._stopping.is_set() and not topic.over:
            changed, shape = topic.changed, topic.subject.shape(topic.seen)
            text = await self._share.of(functools.partial(event, topic))
            if text is None:
                return
            yield text if shape != shown else ": still here\n\n"
            shown = shape
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    await changed.wait()

    async def _ask(self) -> None:
        """For all who watch, until nobody does."""
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
