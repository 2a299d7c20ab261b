"""Executes operations in slices, so that a long one does not block the process's other requests.

graphql-core resolves everything that awaits nothing without a pause: a page of 100 keys would delay every verification by a
good part of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

from graphql import get_named_type, is_composite_type

from app.api.execution.attributes import AttributeExecution
from app.api.execution.cost import BUDGET
from app.api.execution.http import Refused

Executor: TypeAlias = AttributeExecution

# Shorter lists are resolved without a pause: yielding would cost more than they do.
FEW: Final = 8
# A cheaper operation fills little more than one slice: pauses would delay it and help nobody.
PACED: Final = 300
DEAR: Final = BUDGET // 5
MOST_DEAR: Final = 2
PATIENCE_SECONDS: Final = 2


class ExpensiveSlots:
    """Limits concurrent expensive operations of a process. Each tenant runs one at a time, so that nobody waits for more than
    one operation of each other tenant."""

    def __init__(self) -> None:
        self._dear = asyncio.Semaphore(MOST_DEAR)
        self._own: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def for_one_of(self, tenant: str, cost: int) -> AsyncIterator[None]:
        """Holds a slot for an expensive operation; cheaper ones need none. Raises Refused when the tenant's own operations take
        too long; waits for those of others."""
        if cost < DEAR:
            yield
            return
        own = self._own.setdefault(tenant, asyncio.Lock())
        await self._enter(own)
        try:
            async with self._dear:
                yield
        finally:
            own.release()

    async def _enter(self, own: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await own.acquire()
        except TimeoutError:
            message = f"Another of your operations of a price of {DEAR:,} or more is under way. Try again, or ask for less."
            raise Refused(429, "TOO_MANY_REQUESTS", message, retry_after=str(PATIENCE_SECONDS)) from None


class CooperativeExecution(Executor):
    """Yields to other work after each awaited resolver, and before each object of a long list."""

    def complete_list_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        if isinstance(result, list) and len(result) > FEW and is_composite_type(get_named_type(return_type)):
            result = self.context_value.pace.through(result)
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    async def complete_awaitable_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        result = self.context_value.pace.after(result)
        return await super().complete_awaitable_value(return_type, field_details_list, info, path, result, position_context)


def executor(cost: int) -> type[Executor]:
    """The executor for an operation of this cost: a cheap one runs without pauses."""
    return CooperativeExecution if cost >= PACED else Executor
