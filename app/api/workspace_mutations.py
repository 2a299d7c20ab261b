"""Mutations of a workspace itself."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import EXPECTED_REVISION, SLUG, require_values
from app.api.framework.scalars import LocalTime, TimeZone, unset_to_none
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import BusinessHours, Weekday, Workspace
from app.plans import service as plans
from app.tenancy import workspace as noun
from app.tenancy.workspace import Workspace as Place
from app.workspaces import service as workspaces


@strawberry.input(description="When people are at work, in the workspace's time zone.")
class BusinessHoursInput:
    days: list[Weekday]
    opens: LocalTime
    closes: LocalTime = strawberry.field(description="Later than `opens`.")

    def to_domain(self) -> noun.BusinessHours:
        return noun.BusinessHours(tuple(str(day) for day in self.days), self.opens, self.closes)


@strawberry.input(description="What is left out stays as it is; null never means that.")
class UpdateWorkspaceInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Null is refused: every workspace has a name.")
    timezone: TimeZone | None = strawberry.field(default=strawberry.UNSET, description="Null is refused.")
    business_hours: BusinessHoursInput | None = strawberry.field(default=strawberry.UNSET, description="Null: none.")
    logs_requests: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Null is refused. False: what was logged is deleted within minutes."
    )
    expected_revision: str | None = strawberry.field(default=strawberry.UNSET, description=EXPECTED_REVISION)
    validate_only: bool = strawberry.field(
        default=False, description="Only say what is wrong, or a `WorkspacePreview` of what it would be; nothing is written."
    )

    @property
    def hours(self) -> noun.BusinessHours | workspaces.Unset | None:
        if self.business_hours is strawberry.UNSET:
            return workspaces.UNSET
        return self.business_hours.to_domain() if self.business_hours else None


@object_type("What a workspace would be. The answer to `validateOnly`.", requires=ANYONE)
class WorkspacePreview:
    name: str = strawberry.field(description="The name without invisible characters.")
    timezone: TimeZone = strawberry.field(description="Its time zone.")
    business_hours: BusinessHours | None = strawberry.field(description="Null: none.")
    logs_requests: bool = strawberry.field(description="Whether single requests would be logged.")

    @classmethod
    def of(cls, place: Place) -> WorkspacePreview:
        hours = BusinessHours.of(place.business_hours) if place.business_hours else None
        return cls(name=place.name, timezone=TimeZone(place.timezone), business_hours=hours, logs_requests=place.logs_requests)


@object_type(requires=ANYONE)
class UpdateWorkspacePayload:
    workspace: Workspace


@strawberry.input
class ChangePlanInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    plan: str = strawberry.field(description="The name of a plan, `growth`.")


@object_type(requires=ANYONE)
class ChangePlanPayload:
    workspace: Workspace


UpdateWorkspaceResult: TypeAlias = Annotated[
    UpdateWorkspacePayload | WorkspacePreview | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("UpdateWorkspaceResult"),
]
ChangePlanResult: TypeAlias = Annotated[
    ChangePlanPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("ChangePlanResult")
]


@strawberry.type
class WorkspaceMutation:
    @mutation(
        "Changes the workspace's name, time zone, business hours, or whether requests are logged.", requires=Action.UPDATE_WORKSPACE
    )
    async def update_workspace(self, info: Info, input: UpdateWorkspaceInput) -> UpdateWorkspaceResult | None:
        require_values(name=input.name, timezone=input.timezone, logsRequests=input.logs_requests)
        actor, slug = info.context.actor, unset_to_none(input.workspace)
        make = workspaces.check_update if input.validate_only else workspaces.update
        made = await make(
            actor,
            slug,
            name=unset_to_none(input.name),
            timezone=unset_to_none(input.timezone),
            business_hours=input.hours,
            logs_requests=unset_to_none(input.logs_requests),
            expected=unset_to_none(input.expected_revision),
        )
        if input.validate_only:
            return WorkspacePreview.of(made)
        return UpdateWorkspacePayload(workspace=await _shown(info, made))

    @mutation(
        "To a smaller plan, or to one that is self-service. Keys above the new limit keep working, but no new one can be created.",
        requires=Action.CHANGE_PLAN,
    )
    async def change_plan(self, info: Info, input: ChangePlanInput) -> ChangePlanResult | None:
        changed = await plans.change_plan(info.context.actor, unset_to_none(input.workspace), input.plan)
        return ChangePlanPayload(workspace=await _shown(info, changed))


async def _shown(info: Info, place: Place) -> Workspace:
    return Workspace.of(await info.context.workspaces.load(place.id))
