"""What can be done with a workspace itself."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.api.context import Info
from app.api.inputs import SLUG
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.resolving import mutation
from app.api.scalars import given
from app.api.workspaces import Workspace
from app.plans import service as plans
from app.workspaces import service as workspaces
from app.workspaces.workspace import Workspace as Place


@strawberry.input
class ChangePlanInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    plan: str = strawberry.field(description="The name of a plan, `growth`.")


@strawberry.type
class ChangePlanPayload:
    workspace: Workspace


ChangePlanResult: TypeAlias = Annotated[
    ChangePlanPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("ChangePlanResult")
]


@strawberry.type
class WorkspaceMutation:
    @mutation("To a smaller plan, or to one that is self-service. Keys above the new limit live on; new ones wait for a free slot.")
    async def change_plan(self, info: Info, input: ChangePlanInput) -> ChangePlanResult | None:
        changed = await plans.change_plan(info.context.actor, given(input.workspace), input.plan)
        return ChangePlanPayload(workspace=await _shown(info, changed))


async def _shown(info: Info, place: Place) -> Workspace:
    actor = info.context.actor
    return Workspace.of(await workspaces.seen(actor, None, workspace_id=place.id), actor)
