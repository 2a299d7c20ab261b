"""The way back up: what belongs to a workspace shows it, and what belongs to a key that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from app.api.context import Info
from app.api.resolving import field

if TYPE_CHECKING:
    from app.api.keys import ApiKey
    from app.api.workspaces import Workspace


@strawberry.type
class Placed:
    """A part of the types of things that belong to a workspace; no type of the schema itself."""

    workspace_id: strawberry.Private[str]

    @field("Where it belongs. Null, with an entry in `errors`, once the caller no longer belongs there.")
    async def workspace(self, info: Info) -> Annotated[Workspace, strawberry.lazy("app.api.workspaces")] | None:
        return await _workspace(info, self.workspace_id)


@strawberry.type
class OfKey:
    """The same for the types of things that belong to a key."""

    key_id: strawberry.Private[str]

    @field("The key that it uses.")
    async def api_key(self, info: Info) -> Annotated[ApiKey, strawberry.lazy("app.api.keys")] | None:
        from app.api.keys import ApiKey  # here, because each of the two types shows the other

        return ApiKey.of(await info.context.keys.itself(self.key_id), await info.context.now())

    @field("That of its key. Null, with an entry in `errors`, once the caller no longer belongs there.")
    async def workspace(self, info: Info) -> Annotated[Workspace, strawberry.lazy("app.api.workspaces")] | None:
        return await _workspace(info, (await info.context.keys.itself(self.key_id)).workspace_id)


async def _workspace(info: Info, workspace_id: str) -> Workspace:
    from app.api.workspaces import Workspace  # here, for the same reason

    return Workspace.of(await info.context.workspaces.load(workspace_id), info.context.actor)
