"""All workspaces, for operator keys: listed, suspended and resumed."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import OperatorAction
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, page
from app.api.framework.context import Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import mutation, object_type, paged
from app.api.framework.scalars import unset_to_none
from app.api.problems import NotAllowed, NotFound
from app.api.workspaces import Workspace
from app.tenancy import service as tenancy
from app.tenancy import workspace as noun
from app.workspaces import service as workspaces


@strawberry.input(description="Every field that is given must apply.")
class WorkspaceFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="A part of the name, the slug or the id; capital ASCII letters equal small ones."
    )
    plan: str | None = strawberry.field(default=strawberry.UNSET, description="The name of a plan, `growth`.")
    suspended: bool | None = strawberry.field(
        default=strawberry.UNSET, description="True: suspended ones only; false: others only."
    )

    def to_domain(self) -> noun.WorkspaceFilter:
        return noun.WorkspaceFilter(unset_to_none(self.search), unset_to_none(self.plan), unset_to_none(self.suspended))


@strawberry.type
class WorkspaceQuery:
    @paged("All workspaces of this installation, the newest first.", requires=OperatorAction.LIST_WORKSPACES)
    async def workspaces(
        self, info: Info, args: ConnectionArgs, filter: WorkspaceFilter | None = strawberry.UNSET
    ) -> Connection[Workspace] | None:
        actor, given = info.context.actor, unset_to_none(filter)
        wanted = given.to_domain() if given else noun.WorkspaceFilter()

        async def count() -> int:
            return await tenancy.count_everywhere(actor, wanted)

        return page(
            "workspaces",
            await tenancy.everywhere(actor, wanted, args.of("workspaces")),
            node=Workspace.of,
            position=lambda access: (access.workspace.created_at, access.workspace.id),
            count=count,
        )


_WORKSPACE = "The slug of the workspace."


@strawberry.input
class SuspendWorkspaceInput:
    workspace: str = strawberry.field(description=_WORKSPACE)


@object_type(requires=ANYONE)
class SuspendWorkspacePayload:
    workspace: Workspace


@strawberry.input
class ResumeWorkspaceInput:
    workspace: str = strawberry.field(description=_WORKSPACE)


@object_type(requires=ANYONE)
class ResumeWorkspacePayload:
    workspace: Workspace


SuspendWorkspaceResult: TypeAlias = Annotated[
    SuspendWorkspacePayload | NotFound | NotAllowed, strawberry.union("SuspendWorkspaceResult")
]
ResumeWorkspaceResult: TypeAlias = Annotated[
    ResumeWorkspacePayload | NotFound | NotAllowed, strawberry.union("ResumeWorkspaceResult")
]


@strawberry.type
class WorkspaceDirectoryMutation:
    @mutation(
        "Suspends a workspace: from the next request on none of its keys is accepted, and its members can change nothing but\n"
        "revoke keys. Repeated, it answers the same.",
        requires=OperatorAction.SUSPEND_WORKSPACE,
    )
    async def suspend_workspace(self, info: Info, input: SuspendWorkspaceInput) -> SuspendWorkspaceResult | None:
        changed = await workspaces.suspend(info.context.actor, input.workspace)
        return SuspendWorkspacePayload(workspace=Workspace.of(await tenancy.seen(info.context.actor, changed.slug)))

    @mutation(
        "Resumes a workspace: from the next request on its keys are accepted again. Repeated, it answers the same.",
        requires=OperatorAction.SUSPEND_WORKSPACE,
    )
    async def resume_workspace(self, info: Info, input: ResumeWorkspaceInput) -> ResumeWorkspaceResult | None:
        changed = await workspaces.resume(info.context.actor, input.workspace)
        return ResumeWorkspacePayload(workspace=Workspace.of(await tenancy.seen(info.context.actor, changed.slug)))
