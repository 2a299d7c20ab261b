"""The context that a request passes to its resolvers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import strawberry

from app import database
from app.access.actor import Actor
from app.api.framework.loaders import ChangeLoader, KeyLoader, UsageLoader, WorkspaceLoader
from app.pace import Pace


@dataclass(slots=True)
class Context:
    """State of one request: the actor, one cached timestamp, and the data loaders."""

    actor: Actor
    pace: Pace = field(default_factory=Pace)
    # Whether the operation only reads.
    is_query: bool = False
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
