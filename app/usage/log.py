"""The usage log: requests are appended to it in the commit that their answers wait for, and counted soon afterwards.

A batch of verifications or a usage report appends one row. Folding merges many rows, writes the counters once and deletes
the rows in the same transaction, so every request is counted exactly once. Many merged uses are first appended again, as
merged rows of MOST_IN_STEP uses each, and counted row by row: no verification waits for more than one such step.
Statements that read the counters have the log folded before (`database.fetch`).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable
from typing import Final

from app import database, runtime
from app.database import Engine, hot_path
from app.database.hot_path import GivenUp, Hot
from app.errors import Unavailable
from app.keys import store as key_store
from app.pace import in_slices
from app.usage import store
from app.usage.counters import CounterBatch, Use
from app.usage.merging import Merger, batched, decoded, encoded, upserts

FOLD_SECONDS: Final = 0.5
# Few uses are counted at once, so that readers find the log empty. Many wait for more uses of the same keys, which costs half as
# much, but not for longer than this, and never for more than are merged at once.
FEW_USES: Final = 2_000
MANY_USES: Final = 20_000
MOST_WAITING_SECONDS: Final = 5.0
# Pages and jobs wait longer for a slow database than the 0.4 s of a verification.
PATIENCE_SECONDS: Final = 2.0
# A node whose folds counted nothing for so long appends nothing: the log must not grow.
MOST_BEHIND_SECONDS: Final = 2.0
MOST_USES: Final = 100_000
# A report waits until fewer uses than these are not counted, so that reports never fill the log for verifications.
MOST_BEFORE_REPORT: Final = 5_000
MOST_IN_STEP: Final = 50
MOST_IN_ROW: Final = 1_000
# A row of a report is as large as forty of a batch.
_ROWS_AT_ONCE: Final = 30
_STEPS_AT_ONCE: Final = 50
# Of a change that keeps others from appending; they give up waiting after 300 ms.
_LOCK_MILLISECONDS: Final = 200
_IDLE_MILLISECONDS: Final = 1_000
_log = logging.getLogger("keydesk.usage")


def current() -> UsageLog:
    return runtime.current(UsageLog)


@contextlib.asynccontextmanager
async def folding() -> AsyncIterator[None]:
    """Folds when it is due during the block, and once at its end, so that the log of a stopped node is empty."""
    log = current()
    await (await log.open()).reserve()
    work = asyncio.create_task(_forever(log), name="usage log")
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])
        await _without_failing(database.settle())


class UsageLog:
    """The log of the open database. Any process may append and fold; a transaction decides who has counted a row."""

    tables = frozenset(
        {"usage_hour", "usage_day", "workspace_day", "key_last_used", "caller", "key_refusal", "key_watch", "logged_request"}
    )

    def __init__(self, engine: Engine) -> None:
        self.hot: Hot = hot_path.open_for(engine)
        self._opened = False
        self._opening = asyncio.Lock()
        self._fold: asyncio.Task[None] | None = None
        # Folds begun, and the number of the last one that was completed: it included everything appended before it began.
        self._begun = self._completed = 0
        # Uses appended since the last completed fold began, and since when the first of them waits.
        self._uses, self._waiting_since = 0, 0.0
        # Since when folds have counted nothing; None while none is under way or has failed.
        self._stuck_since: float | None = None

    async def open(self) -> Hot:
        """Opens the connections if they are not open yet. Raises Unavailable."""
        async with self._opening:
            if not self._opened:
                await self.hot.open()
                self._opened = True
        return self.hot

    async def close(self) -> None:
        """Ends a fold; the next process completes it."""
        if self._fold is not None:
            self._fold.cancel()
            await asyncio.wait([self._fold])
        if self._opened:
            await self.hot.close()

    async def append(self, uses: list[Use]) -> None:
        """Counts these uses once it returns. If it raises Unavailable, they are counted once or not at all."""
        await self.wait_turn()
        self._note(uses)
        await self.hot.append(encoded(uses))

    async def append_in_transaction(self, uses: list[Use]) -> None:
        """Like `append`, together with the transaction that is open. Call `wait_turn` before it is opened."""
        self._note(uses)
        # Folds yield to verifications between rows.
        rows = [encoded(part) for part in batched(uses, MOST_IN_ROW)]
        if rows:
            await database.fetch(f"INSERT INTO usage_log (merged, uses) VALUES {', '.join(['(0, {})'] * len(rows))}", *rows)

    async def wait_turn(self, most: int | None = None) -> None:
        """Folds first if more uses than `most` (MOST_USES) are not counted, or folds counted none for MOST_BEHIND_SECONDS.

        Raises Unavailable.
        """
        is_behind = self._stuck_since is not None and _time() - self._stuck_since > MOST_BEHIND_SECONDS
        if is_behind or self._uses > (MOST_USES if most is None else most):
            await self.settle()

    async def settle(self) -> None:
        """Counts everything that was appended before the call, by any process. Raises Unavailable.

        The fold is a task of its own: callers that give up do not end it, and those that come meanwhile share it.
        """
        until = _time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._settle()
            except GivenUp:
                if _time() > until:
                    raise

    async def _settle(self) -> None:
        hot, uses = await self.open(), self._uses
        if await hot.is_log_empty():
            # Another process has counted them.
            self._uses, self._stuck_since = max(0, self._uses - uses), None
            return
        begun = self._begun
        while self._completed <= begun:
            if self._fold is None or self._fold.done():
                self._begun += 1
                # With an empty context, so that it is in nobody's transaction and has nobody's deadline.
                self._fold = asyncio.create_task(self._count(hot, self._begun), context=contextvars.Context())
                # Retrieved, so that asyncio does not warn about an exception that nobody waits for anymore.
                self._fold.add_done_callback(lambda fold: fold.cancelled() or fold.exception())
            await asyncio.shield(self._fold)

    def _note(self, uses: list[Use]) -> None:
        if not self._uses:
            self._waiting_since = _time()
        self._uses += len(uses)

    def is_due(self) -> bool:
        """Whether folding need not wait. A process that has appended nothing folds what others have."""
        return not FEW_USES < self._uses < MANY_USES or _time() - self._waiting_since > MOST_WAITING_SECONDS

    async def _count(self, hot: Hot, number: int) -> None:
        uses, are_all = self._uses, False
        if self._stuck_since is None:
            self._stuck_since = _time()
        while not are_all:
            merger, rows, are_all = await _oldest(hot)
            if rows and not await _write(hot, merger, rows):
                are_all = False
                continue
            await self._count_steps(hot)
        self._completed, self._uses = number, max(0, self._uses - uses)
        self._waiting_since, self._stuck_since = _time(), None

    async def _count_steps(self, hot: Hot) -> None:
        """Counts all merged rows, also those of a process that has ended."""
        while found := await hot.logged(merged=True, most=_STEPS_AT_ONCE):
            for row_id, step in found:
                # One that is gone was counted by another process.
                await hot.write(upserts(decoded(step)), [row_id])
                self._stuck_since = _time()


async def count_in_change() -> None:
    """Counts, inside a change, every request that was answered before the call. Raises Unavailable.

    For changes that depend on how a key is used; other statements of a change see what was counted before.
    """
    hot = await current().open()
    if not database.is_sqlite():
        await current().settle()
    elif not await hot.is_log_empty():
        await _count_here()


async def lock_use(key_id: str) -> int | None:
    """When a key was last used; inside a change. Until it ends, nothing is appended, so this stays valid. Raises Unavailable."""
    if not database.is_sqlite():  # there the change is the only writer
        # Every append waits for this change: it must not wait long itself, nor stay open if this node stops meanwhile.
        await database.fetch(
            "SELECT set_config('lock_timeout', {}, true), set_config('idle_in_transaction_session_timeout', {}, true)",
            *(f"{_LOCK_MILLISECONDS}ms", f"{_IDLE_MILLISECONDS}ms"),
        )
        # First the log, then the counters: a fold locks them in this order too.
        await database.fetch("LOCK TABLE usage_log IN SHARE ROW EXCLUSIVE MODE")
    await _count_here()
    return await key_store.lock_use(key_id)


async def _count_here() -> None:
    """Counts the log in the change's own transaction, in which nobody else can append."""
    merger, counts = Merger(), CounterBatch()
    for row in await database.fetch("SELECT uses FROM usage_log ORDER BY id"):
        merger.add(decoded(row["uses"]))
    for use in (*merger.take_uses(), *merger.logged()):
        counts.add(use)
    await store.add(counts)
    await database.fetch("DELETE FROM usage_log")


async def _oldest(hot: Hot) -> tuple[Merger, list[int], bool]:
    """The oldest appended rows, merged, until they have MANY_USES; their ids, and whether they are all."""
    merger, ids = Merger(), list[int]()
    while merger.added < MANY_USES:
        rows = await hot.logged(merged=False, most=_ROWS_AT_ONCE, after=ids[-1] if ids else 0)
        async for row_id, uses in in_slices(rows):
            merger.add(decoded(uses))
            ids.append(row_id)
        if len(rows) < _ROWS_AT_ONCE:
            return merger, ids, True
    return merger, ids, False


async def _write(hot: Hot, merger: Merger, gone: list[int]) -> bool:
    """Counts these rows, or appends merged ones in their place. False if another process did so meanwhile."""
    logged = merger.logged()
    if max(merger.size, len(logged)) <= MOST_IN_STEP:
        return await hot.write(upserts([*merger.take_uses(), *logged]), gone)
    steps = itertools.chain(batched(merger.take_uses(), MOST_IN_STEP), batched(logged, MOST_IN_STEP))
    return await hot.write([], gone, [encoded(step) async for step in in_slices(steps)])


async def _forever(log: UsageLog) -> None:
    while True:
        if log.is_due():
            await _without_failing(log.settle())
        await asyncio.sleep(FOLD_SECONDS)


async def _without_failing(work: Awaitable[None]) -> None:
    try:
        await work
    except Unavailable as failure:
        _log.warning("the usage log is not counted now: %s", failure.internal)
    except Exception:
        _log.exception("the usage log could not be counted")


def _time() -> float:
    return asyncio.get_running_loop().time()
