"""The context that a request passes to its resolvers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import strawberry

from app import database
from app.access.actor import Actor
from app.access.policy import Action
from app.api.framework.loaders import ChangeLoader, KeyLoader, UsageLoader, WorkspaceLoader
from app.live import Live
from app.pace import Pace
from app.tenancy import service as tenancy
from app.tenancy.service import Access


@dataclass(slots=True)
class Subscriber:
    """Who receives a subscription's events: authenticated again before each of them, since credentials end while streams are open.

    `after`: the cursor from which an interrupted stream is resumed, if its transport has one for that.
    """

    live: Live
    authenticate: Callable[[], Awaitable[Actor]]
    actor: Actor
    after: str | None = None
    _checked: tuple[Action, str] | None = None

    async def access(self, action: Action, workspace_id: str) -> Access:
        """What they may do now. Raises NotAuthenticated, NotFound, NotAllowed."""
        self._checked = (action, workspace_id)
        self.actor = await self.authenticate()
        return await tenancy.reading(self.actor, None, action, workspace_id=workspace_id)

    async def check_again(self) -> None:
        """Repeats the last check, where time has passed since. Raises what `access` does."""
        if self._checked is not None:
            await self.access(*self._checked)


@dataclass(slots=True)
class Context:
    """State of one request: the actor, one cached timestamp, and the data loaders."""

    actor: Actor
    pace: Pace = field(default_factory=Pace)
    # Whether the operation only reads.
    is_query: bool = False
    # Of a subscription, while its events are awaited.
    subscriber: Subscriber | None = None
    workspaces: WorkspaceLoader = field(init=False)
    usage: UsageLoader = field(init=False)
    keys: KeyLoader = field(init=False)
    changes: ChangeLoader = field(init=False)
    # `extensions` of the response other than its cost.
    extensions: dict[str, Any] = field(default_factory=dict)
    _now: int | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.workspaces = WorkspaceLoader(self.actor, remembers=self.is_query)
        self.usage = UsageLoader(self.workspaces)
        self.keys = KeyLoader(self.actor, self.workspaces)
        self.changes = ChangeLoader(self.workspaces)

    async def now(self) -> int:
        """Read once, even if many fields request it concurrently."""
        async with self._reading:
            if self._now is None:
                self._now = await database.now()
        return self._now


Info: TypeAlias = strawberry.Info[Context, None]
