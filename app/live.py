"""Watches things that change, for the streams of live pages and of GraphQL subscriptions.

All streams of one subject share one poll: a cheap query once a second whether anything has changed, and only then the expensive
read. Nothing is queued: a slow reader gets the latest state, not every state before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from app import database
from app.errors import KeydeskError
from app.metrics import STREAMS
from app.pace import Share

TICK_SECONDS: Final = 1.0
# The fraction of the event loop that polls and live pages may use together: ticks become longer if they need more.
SHARE: Final = 0.05
_log = logging.getLogger("keydesk.live")

Snapshot = TypeVar("Snapshot")


class Kind(StrEnum):
    """What streams are counted as in `/metrics`; a WebSocket carries several subscriptions."""

    PAGE = "page"
    SUBSCRIPTION = "subscription"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Subject(Generic[Snapshot]):
    """What a stream watches, shared by all its readers; `name` identifies it.

    `version` is a cheap query whose result changes whenever the data does; `load` is expensive; `shown_part` is what must have
    changed before readers get another event. An exception from any of them ends the streams.
    """

    name: str
    workspace_id: str
    version: Callable[[Snapshot], Awaitable[object]]
    load: Callable[[Snapshot], Awaitable[Snapshot]]
    shown_part: Callable[[Snapshot], object]


@dataclass(slots=True)
class Topic(Generic[Snapshot]):
    """A subject with its last state and the number of its streams. `over`: it is polled no more, and its streams must end."""

    subject: Subject[Snapshot]
    snapshot: Snapshot
    version: object = None
    watchers: int = 0
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def shown_part(self) -> object:
        return self.subject.shown_part(self.snapshot)

    async def ask(self) -> None:
        with database.settled_once():
            version = await self.subject.version(self.snapshot)
            if version != self.version:
                self.show(await self.subject.load(self.snapshot))
                self.version = version

    def show(self, snapshot: Snapshot) -> None:
        differs, self.snapshot = self.subject.shown_part(snapshot) != self.shown_part, snapshot
        if differs:
            self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    """The subjects that this node watches, and how many streams are open. All end when `stopping` is set."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self.stopping = stopping
        self.share = Share(SHARE, lambda: not stopping.is_set())
        self._topics: dict[str, Topic[Any]] = {}
        self._open: Counter[str] = Counter()
        self._asking: asyncio.Task[None] | None = None
        for kind in Kind:  # a worker that was killed has left its number
            STREAMS.labels(kind).set(0)

    def full(self, limits: Mapping[str, int]) -> str | None:
        """The first of these names that has as many streams as it may have."""
        return next((name for name, most in limits.items() if self._open[name] >= most), None)

    @contextlib.contextmanager
    def counted(self, kind: Kind, limits: Mapping[str, int]) -> Iterator[None]:
        """Counts one stream of this kind under each of these names; call `full` first."""
        self._open.update(limits.keys())
        STREAMS.labels(kind).inc()
        try:
            yield
        finally:
            self._open.subtract(limits.keys())
            self._open += Counter()  # drops entries at zero
            STREAMS.labels(kind).dec()

    @contextlib.contextmanager
    def watching(self, subject: Subject[Snapshot], snapshot: Snapshot) -> Iterator[Topic[Snapshot]]:
        """Polls the subject during the block; `snapshot` is its state as just read."""
        topic = self._topics.setdefault(subject.name, Topic(subject, snapshot))
        topic.watchers += 1
        # The next poll reads it again. Not shown to others now: it may have been read before what they were shown.
        topic.version = None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            yield topic
        finally:
            topic.watchers -= 1
            if not topic.watchers and self._topics.get(subject.name) is topic:
                del self._topics[subject.name]

    def is_over(self, topic: Topic[Any]) -> bool:
        """Whether its streams must end."""
        return topic.over or self.stopping.is_set()

    async def _ask(self) -> None:
        """Polls all subjects until no stream is left."""
        while self._topics and not self.stopping.is_set():
            for topic in [*self._topics.values()]:
                await self.share.of(functools.partial(self._ask_about, topic))
            await until(self.stopping, TICK_SECONDS)
        for topic in self._topics.values():
            topic.wake()

    async def _ask_about(self, topic: Topic[Any]) -> None:
        try:
            await topic.ask()
        except Exception as failure:
            if not isinstance(failure, KeydeskError):
                _log.exception("what a stream shows could not be read")
            topic.over = True
            self._topics.pop(topic.subject.name, None)
            topic.wake()


async def until(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event, but no longer than this; returns whether it has come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
