"""Executing operations in slices, so that a long one holds up nothing else that the process answers.

graphql-core resolves in one go whatever waits for nothing: with a page of 100 keys that would keep every verification waiting
for a good part of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

from graphql import get_named_type, is_composite_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.api.http import Refused
from app.api.price import BUDGET

Executor: TypeAlias = StrawberryGraphQLCoreExecutionContext

# Shorter lists are resolved in one go: taking turns would cost more than they do.
FEW: Final = 8
# What costs less fills little more than a slice: between its parts it would rest, and nobody would gain by it.
PACED: Final = 300
DEAR: Final = BUDGET // 5
MOST_DEAR: Final = 2
PATIENCE_SECONDS: Final = 2


class Room:
    """The few places for dear operations of a process. Each tenant has one of them at a time and waits for its own first, so
    that nobody waits for more than one operation of each other tenant."""

    def __init__(self) -> None:
        self._dear = asyncio.Semaphore(MOST_DEAR)
        self._own: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def for_one_of(self, tenant: str, cost: int) -> AsyncIterator[None]:
        """A place among the few dear operations that run at a time; others need none. Raises Refused when the tenant's own
        operations take too long; what others have under way is waited for."""
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


class Paced(Executor):
    """Takes turns before it goes on with what a resolver waited for, and before each object of a long list."""

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
    """What executes an operation of this price: in one go what is cheap, so that a quiet server does not rest."""
    return Paced if cost >= PACED else Executor
