"""Taking turns: whatever is long or often asked for works in slices, so that verification keeps most of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Final, TypeVar

SLICE_SECONDS: Final = 0.002
# Not zero: between two slices the database's threads need the interpreter, and only a loop that sleeps lets go of it.
REST_SECONDS: Final = 0.001

T = TypeVar("T")


class Pace:
    """Shared by all that is paced in a process: together it works for one slice, then everybody else has a rest of theirs."""

    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self._began = 0.0

    async def turn(self) -> None:
        """Returns at once while the slice lasts, otherwise in the next one that is free."""
        if self._lasts():
            return
        async with self._line:
            if not self._lasts():
                await asyncio.sleep(REST_SECONDS)
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
        return time.monotonic() - self._began < SLICE_SECONDS
