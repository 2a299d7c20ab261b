"""What a request carries to its resolvers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import strawberry

from app import database
from app.access.actor import Actor
from app.api.loaders import ChangeLoader, KeyLoader, UsageLoader, WorkspaceLoader
from app.pace import Pace


@dataclass(slots=True)
class Context:
    """State of one request: the actor, one cached timestamp, and the data loaders."""

    actor: Actor
    pace: Pace = field(default_factory=Pace)
    usage: UsageLoader = field(default_factory=UsageLoader)
    keys: KeyLoader = field(default_factory=KeyLoader)
    changes: ChangeLoader = field(default_factory=ChangeLoader)
    workspaces: WorkspaceLoader = field(init=False)
    # What the answer says beside its data and its cost.
    extensions: dict[str, Any] = field(default_factory=dict)
    _now: int | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.workspaces = WorkspaceLoader(self.actor)

    async def now(self) -> int:
        """Read once, also when many fields ask at the same moment."""
        async with self._reading:
            if self._now is None:
                self._now = await database.now()
        return self._now


Info: TypeAlias = strawberry.Info[Context, None]
