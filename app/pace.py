"""Taking turns: whatever is long or often asked for works in slices, so that verification keeps most of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

SLICE_SECONDS: Final = 0.002
# While keys are being verified: each verification waits for up to three slices, and most of the time is left to them.
SHORT_SECONDS: Final = 0.001
LONG_REST_SECONDS: Final = 0.003
# Not zero: between two slices the database's threads need the interpreter, and only a loop that sleeps lets go of it.
REST_SECONDS: Final = 0.001

# For so long after a verification the next one is expected.
URGENT_SECONDS: Final = 0.1
# What the server and the event loop do for a request before its first step and after its last.
AROUND_SECONDS: Final = 0.0001

T = TypeVar("T")


class Pace:
    """Shared by all that is paced in a process: together it works for one slice, a shorter one while something is `urgent`,
    then everybody else has a rest of theirs."""

    def __init__(self, urgent: Callable[[], bool] = lambda: False) -> None:
        self._urgent = urgent
        self._line = asyncio.Lock()
        self._began = 0.0

    async def turn(self) -> None:
        """Returns at once while the slice lasts, otherwise in the next one that is free."""
        if self._lasts():
            return
        async with self._line:
            if not self._lasts():
                await asyncio.sleep(LONG_REST_SECONDS if self._urgent() else REST_SECONDS)
                self._began = time.monotonic()

    async def after(self, result: Awaitable[T]) -> T:
        """What was waited for, when it is its turn."""
        found = await result
        await self.turn()
        return found

    async def through(self, items: Sequence[T]) -> AsyncIterator[T]:
        """The items, each when it is its turn."""
        for item in items:
            await self.turn()
            yield item

    def _lasts(self) -> bool:
        return time.monotonic() - self._began < (SHORT_SECONDS if self._urgent() else SLICE_SECONDS)


async def unhurried(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a rest after each slice of work on them: for thousands of rows, which are read where no `Pace` is."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > SHORT_SECONDS:
            await asyncio.sleep(REST_SECONDS)
            began = time.monotonic()


class Urgency:
    """Whether anything goes on for which all else makes room: verification."""

    def __init__(self) -> None:
        self._at = 0.0

    def note(self) -> None:
        """It does, now."""
        self._at = time.monotonic()

    def lasts(self) -> bool:
        return time.monotonic() - self._at < URGENT_SECONDS


class Share:
    """Work of one kind, which together takes no more than its share of the event loop while it is `limited`.

    A piece of work waits before it begins, in line with others of its kind, and never after that: it may hold a transaction
    or a connection to the database by then, for which others would wait too.
    """

    def __init__(self, share: float, limited: Callable[[], bool] = lambda: True) -> None:
        self._rests, self._limited = 1 / share - 1, limited
        self._line = asyncio.Lock()
        # What was computed and has not been rested for, and what a piece of work usually computes.
        self._owed, self._usual = 0.0, SLICE_SECONDS

    async def of(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does the work when it is its turn."""
        await self._turn()
        # Others begin meanwhile, so what it will probably compute is owed at once.
        expected, steps = self._usual, _Steps(work())
        self._owed += expected
        try:
            return await steps
        finally:
            computed = steps.seconds + AROUND_SECONDS
            # Never less than nothing: a long wait that computed little lends the others no time.
            self._owed = max(0.0, self._owed + computed - expected)
            self._usual += (computed - self._usual) / 8

    async def _turn(self) -> None:
        if not self._line.locked() and self._owed < SLICE_SECONDS:
            return
        async with self._line:
            while self._owed >= SLICE_SECONDS:
                owed = self._owed
                if self._limited():
                    await asyncio.sleep(owed * self._rests)
                self._owed -= owed


class _Steps(Awaitable[T], Generic[T]):
    """Awaits something, and adds up what it computes between one waiting and the next."""

    def __init__(self, work: Awaitable[T]) -> None:
        self._work, self.seconds = work, 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        # Of a coroutine as of a future this has what a generator has.
        steps: Any = self._work.__await__()
        thrown: BaseException | None = None
        while True:
            began = time.monotonic()
            try:
                waited = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # what the work returns
            finally:
                self.seconds += time.monotonic() - began
                # It knows this place, and this place it: a ring that would keep the request, and so its connection, until
                # garbage is collected.
                thrown = None
            try:
                yield waited
            except BaseException as error:
                thrown = error
