"""Reports outcomes to Keydesk in the background, in batches. Each is counted exactly once, and none is dropped."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from keydesk_client.errors import KeydeskError, KeydeskRefused
from keydesk_client.outcome import MAXIMUM_BATCH, Batch, Outcome, Receipt

logger = logging.getLogger("keydesk_client")

# Refusals of a batch that a retry would repeat. A bad token is not among them: the operator may be changing it right now.
_FINAL: Final = frozenset({400, 413, 422})
_LONGEST_PAUSE_SECONDS: Final = 30.0
_HURRIED_PAUSE_SECONDS: Final = 0.25


class Reporter:
    """A buffer, and one task that empties it and runs only while there is something to report.

    A batch is sent, with the same id, until Keydesk has answered: then it was counted once, however often it was sent.
    When `capacity` outcomes are queued, none is dropped: `full` is true, and the middleware refuses further requests.
    """

    def __init__(
        self,
        send: Callable[[Batch], Awaitable[Receipt]],
        *,
        interval_seconds: float = 1.0,
        capacity: int = 50_000,
    ) -> None:
        self._send = send
        self._interval_seconds = interval_seconds
        self._capacity = capacity
        self._waiting: deque[Outcome] = deque()
        self._batch: Batch | None = None  # taken from the buffer and not yet acknowledged
        self._task: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many outcomes Keydesk has not acknowledged yet."""
        return len(self._waiting) + (len(self._batch.outcomes) if self._batch else 0)

    @property
    def full(self) -> bool:
        return self.pending >= self._capacity

    def add(self, outcome: Outcome) -> None:
        """Returns immediately; the outcome is sent with the next batch, after about a second."""
        self._waiting.append(outcome)
        self._start()
        if len(self._waiting) >= MAXIMUM_BATCH:
            self._enough.set()

    async def flush(self, deadline_seconds: float) -> int:
        """Reports all outcomes without waiting for more. Returns how many are left after the deadline."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                while self.pending:
                    task = self._start()
                    self._enough.set()
                    self._hurry.set()
                    await asyncio.shield(task)
        self._hurry.clear()
        await self._stop()
        return self.pending

    def _start(self) -> asyncio.Task[None]:
        """The task of the running loop. The task of a loop that has ended, as between two tests, ended with it."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._enough, self._hurry = asyncio.Event(), asyncio.Event()
            # An empty context, because the task outlives the request that starts it.
            self._task = loop.create_task(self._work(), name="keydesk reports", context=contextvars.Context())
        return self._task

    async def _stop(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self.pending:
            if self._batch is None:
                await self._gather()
            await self._deliver()

    async def _gather(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval_seconds):
                await self._enough.wait()
        self._batch = Batch(tuple(self._waiting.popleft() for _ in range(min(MAXIMUM_BATCH, len(self._waiting)))))
        if len(self._waiting) < MAXIMUM_BATCH and not self._hurry.is_set():
            self._enough.clear()

    async def _deliver(self) -> None:
        """Returns when Keydesk has answered, however long that takes."""
        attempts = 0
        while (batch := self._batch) is not None:
            try:
                receipt = await self._send(batch)
            except KeydeskError as error:
                attempts += 1
                if not self._gives_up(batch, error):
                    await self._pause(attempts, error)
            else:
                self._batch = None
                _log_rejected(receipt)

    def _gives_up(self, batch: Batch, error: KeydeskError) -> bool:
        if not isinstance(error, KeydeskRefused) or error.status not in _FINAL:
            return False
        logger.error("keydesk refused %d outcomes, they are not counted: %s", len(batch.outcomes), error)
        self._batch = None
        return True

    async def _pause(self, attempts: int, error: KeydeskError) -> None:
        """Waits longer each time, with jitter, and less at shutdown."""
        longest = min(_LONGEST_PAUSE_SECONDS, max(error.retry_after_seconds, 0.5 * 2 ** min(attempts, 10)))
        seconds = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, not cryptographic
        logger.warning("keydesk took no outcomes, %d pending, next try within %.1f s: %s", self.pending, seconds, error)
        if self._hurry.is_set():
            await asyncio.sleep(_HURRIED_PAUSE_SECONDS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


def _log_rejected(receipt: Receipt) -> None:
    for code, number in Counter(receipt.rejected).items():
        logger.warning("keydesk rejected %d outcomes: %s", number, code)
