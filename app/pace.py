"""Cooperative scheduling: long or frequent work runs in slices, so that verification keeps most of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Hashable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

SLICE_SECONDS: Final = 0.002
# While keys are being verified: each verification waits for at most three slices, and gets most of the time.
SHORT_SECONDS: Final = 0.001
LONG_REST_SECONDS: Final = 0.003
# Not zero: between slices the database's threads need the interpreter, which only a sleeping loop releases.
REST_SECONDS: Final = 0.001

# How long after a verification another one is expected.
URGENT_SECONDS: Final = 0.1
# The work of the server and the event loop for a request before its first step and after its last.
AROUND_SECONDS: Final = 0.0001

T = TypeVar("T")


class Pace:
    """Shared by all paced work of a process: together it runs for one slice, a shorter one while something is `urgent`, then
    rests while other tasks run."""

    def __init__(self, urgent: Callable[[], bool] = lambda: False) -> None:
        self._urgent = urgent
        self._line = asyncio.Lock()
        self._began = 0.0

    async def turn(self) -> None:
        """Returns at once during a slice or if the last one is long over, otherwise in the next free slice."""
        if self._lasts() or self._is_rested():
            return
        async with self._line:
            if not self._lasts():
                await asyncio.sleep(self._rest())
                self._began = time.monotonic()

    async def after(self, result: Awaitable[T]) -> T:
        """Awaits the value, then its turn."""
        found = await result
        await self.turn()
        return found

    async def through(self, items: Sequence[T]) -> AsyncIterator[T]:
        """Yields the items, each in its turn."""
        for item in items:
            if not self._lasts():
                await self.turn()
            yield item

    def _lasts(self) -> bool:
        return time.monotonic() - self._began < self._slice()

    def _is_rested(self) -> bool:
        """Begins a slice if the last one is long over and no task waits for the next."""
        now = time.monotonic()
        if self._line.locked() or now - self._began < self._slice() + self._rest():
            return False
        self._began = now
        return True

    def _slice(self) -> float:
        return SHORT_SECONDS if self._urgent() else SLICE_SECONDS

    def _rest(self) -> float:
        return LONG_REST_SECONDS if self._urgent() else REST_SECONDS


async def in_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """Yields the items, with a rest after each slice of work: for thousands of rows, where there is no `Pace`."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > SHORT_SECONDS:
            await asyncio.sleep(REST_SECONDS)
            began = time.monotonic()


class RecentActivity:
    """Whether urgent work (verification) is going on, to which other work yields."""

    def __init__(self) -> None:
        self._at = 0.0

    def note(self) -> None:
        """Notes urgent work at this moment."""
        self._at = time.monotonic()

    def lasts(self) -> bool:
        return time.monotonic() - self._at < URGENT_SECONDS


class FairQueue:
    """A fair queue: one at a time; waiting askers take turns, so an asker's many requests only delay each other."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def locked(self) -> bool:
        return self._taken

    @contextlib.asynccontextmanager
    async def slot(self, asker: Hashable) -> AsyncIterator[None]:
        if self._taken:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(asker, deque()).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        """Skips cancelled waiters."""
        while self._waiting:
            asker = next(iter(self._waiting))
            turns = self._waiting.pop(asker)
            turn = turns.popleft()
            if turns:
                self._waiting[asker] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False


class Share:
    """Work of one kind, which together takes no more than its share of the event loop while it is `limited`.

    A piece of work waits before it begins, in line with others of its kind, and never after that: it may then hold a transaction
    or a database connection, for which others would wait, too.
    """

    def __init__(self, share: float, limited: Callable[[], bool] = lambda: True) -> None:
        self._rests, self._limited = 1 / share - 1, limited
        self._line = FairQueue()
        # Computing time not yet compensated by rest, and the usual computing time of a piece of work.
        self._owed, self._usual = 0.0, SLICE_SECONDS

    async def of(self, work: Callable[[], Awaitable[T]], asker: Callable[[], Hashable] = lambda: None) -> T:
        """Does the work in its turn; `asker` returns whose work it is, and is called only if the work has to wait."""
        await self._turn(asker)
        # Other work begins meanwhile, so the expected time is charged at once, and the excess as it is computed.
        steps = _Steps(work(), self._owe, self._usual)
        self._owe(self._usual)
        try:
            return await steps
        finally:
            computed = steps.seconds + AROUND_SECONDS
            self._owe(computed - steps.owed)
            self._usual += (computed - self._usual) / 8

    def _owe(self, seconds: float) -> None:
        # Never negative: work that computed less than expected gives others no credit.
        self._owed = max(0.0, self._owed + seconds)

    async def _turn(self, asker: Callable[[], Hashable]) -> None:
        if not self._line.locked() and self._owed < SLICE_SECONDS:
            return
        async with self._line.slot(asker()):
            while self._owed >= SLICE_SECONDS:
                owed = self._owed
                if self._limited():
                    await asyncio.sleep(owed * self._rests)
                self._owed -= owed


class _Steps(Awaitable[T], Generic[T]):
    """Awaits something, adds up its computing time between suspensions, and passes the excess over `owed` to `owe`."""

    def __init__(self, work: Awaitable[T], owe: Callable[[float], None], owed: float) -> None:
        self._work, self._owe = work, owe
        self.seconds, self.owed = 0.0, owed

    def __await__(self) -> Generator[Any, Any, T]:
        # A coroutine and a future have the same methods as a generator here.
        steps: Any = self._work.__await__()
        thrown: BaseException | None = None
        while True:
            began = time.monotonic()
            try:
                waited = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # what the work returns
            finally:
                self._add(time.monotonic() - began)
                # A reference cycle between it and this frame would keep the request, and so its connection, until
                # garbage is collected.
                thrown = None
            try:
                yield waited
            except BaseException as error:
                thrown = error

    def _add(self, seconds: float) -> None:
        self.seconds += seconds
        if (more := self.seconds - self.owed) > 0:
            self.owed = self.seconds
            self._owe(more)
