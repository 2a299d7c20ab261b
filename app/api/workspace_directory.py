"""All workspaces, for operator keys: listed, provided, suspended, resumed, transferred, deleted. Users create and delete theirs."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import strawberry

from app import catalogue
from app.access.policy import Action, OperatorAction, UserAction
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, page
from app.api.framework.context import Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import mutation, object_type, paged
from app.api.framework.scalars import Instant, unset_to_none
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.provisioning import deletion, ownership, self_service
from app.provisioning.ownership import Wanted
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
    deleted: bool | None = strawberry.field(
        default=strawberry.UNSET, description="True: deleted ones only; left out, null or false: others only."
    )

    def to_domain(self) -> noun.WorkspaceFilter:
        chosen = (unset_to_none(self.search), unset_to_none(self.plan), unset_to_none(self.suspended))
        return noun.WorkspaceFilter(*chosen, deleted=unset_to_none(self.deleted) or False)


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


_WORKSPACE: Final = "The slug of the workspace."
_OWNER_EMAIL: Final = "The address of the person who is to own it. Someone without an account here is invited."
_LINK: Final = "What the owner opens to accept the invitation; shown now and never again. Null for someone who has an account here."


_NAME: Final = "What people will call it."


@strawberry.input
class CreateWorkspaceInput:
    name: str = strawberry.field(description=f"{_NAME} The slug is made from it.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "For 24 hours the same key with the same input answers with the same workspace; `NotFound` if it was deleted\n"
            "meanwhile."
        ),
    )


@object_type(requires=ANYONE)
class CreateWorkspacePayload:
    workspace: Workspace


@strawberry.input
class ProvisionWorkspaceInput:
    name: str = strawberry.field(description=_NAME)
    owner_email: str = strawberry.field(description=_OWNER_EMAIL)
    slug: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its name in addresses and inputs; left out: one that is free, made from the name."
    )
    plan: str | None = strawberry.field(
        default=strawberry.UNSET, description="The name of a plan; left out: the one all begin with."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "For 24 hours the same key with the same input answers with the same workspace, without a link;\n"
            "`NotFound` if it was deleted meanwhile."
        ),
    )

    def to_domain(self) -> Wanted:
        plan = unset_to_none(self.plan) or catalogue.FALLBACK_PLAN
        return Wanted(self.name, self.owner_email, unset_to_none(self.slug), plan)


@object_type(requires=ANYONE)
class ProvisionWorkspacePayload:
    workspace: Workspace
    invitation_link: str | None = strawberry.field(description=_LINK)


@strawberry.input
class TransferWorkspaceInput:
    workspace: str = strawberry.field(description=_WORKSPACE)
    owner_email: str = strawberry.field(description=_OWNER_EMAIL)


@object_type(requires=ANYONE)
class TransferWorkspacePayload:
    workspace: Workspace
    invitation_link: str | None = strawberry.field(description=_LINK)


@strawberry.input
class DeleteWorkspaceInput:
    id: strawberry.ID = strawberry.field(description="The id of the workspace, `wsp_…`.")
    slug: str = strawberry.field(description="Its slug, as a confirmation.")


@object_type(requires=ANYONE)
class DeleteWorkspacePayload:
    deleted_id: strawberry.ID = strawberry.field(description="The id of the workspace, of which only operator keys can still read.")
    deleted_at: Instant = strawberry.field(description="From this instant on its keys are refused.")


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


CreateWorkspaceResult: TypeAlias = Annotated[
    CreateWorkspacePayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("CreateWorkspaceResult")
]
ProvisionWorkspaceResult: TypeAlias = Annotated[
    ProvisionWorkspacePayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("ProvisionWorkspaceResult")
]
TransferWorkspaceResult: TypeAlias = Annotated[
    TransferWorkspacePayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("TransferWorkspaceResult")
]
DeleteWorkspaceResult: TypeAlias = Annotated[
    DeleteWorkspacePayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("DeleteWorkspaceResult")
]
SuspendWorkspaceResult: TypeAlias = Annotated[
    SuspendWorkspacePayload | NotFound | NotAllowed, strawberry.union("SuspendWorkspaceResult")
]
ResumeWorkspaceResult: TypeAlias = Annotated[
    ResumeWorkspacePayload | NotFound | NotAllowed, strawberry.union("ResumeWorkspaceResult")
]


@strawberry.type
class WorkspaceDirectoryMutation:
    @mutation(
        "Creates another workspace, which you own, on the plan that all begin with. `Conflict` if you own as many as a user can\n"
        "own here; `NotAllowed` if one of them is suspended, or if only the operator creates workspaces.",
        requires=UserAction.CREATE_OWN_WORKSPACE,
    )
    async def create_workspace(self, info: Info, input: CreateWorkspaceInput) -> CreateWorkspaceResult | None:
        actor, key = info.context.actor, unset_to_none(input.idempotency_key)
        made = await self_service.create(actor, input.name, idempotency_key=key)
        return CreateWorkspacePayload(workspace=Workspace.of(await tenancy.seen(actor, None, workspace_id=made.id)))

    @mutation(
        "Makes a workspace for a customer. Its owner gets an e-mail, with an invitation unless they have an account here.",
        requires=OperatorAction.CREATE_WORKSPACE,
    )
    async def provision_workspace(self, info: Info, input: ProvisionWorkspaceInput) -> ProvisionWorkspaceResult | None:
        actor = info.context.actor
        made = await ownership.provision(actor, input.to_domain(), idempotency_key=unset_to_none(input.idempotency_key))
        shown = Workspace.of(await tenancy.seen(actor, None, workspace_id=made.workspace.id))
        return ProvisionWorkspacePayload(workspace=shown, invitation_link=made.link)

    @mutation(
        "Makes someone else the only owner, at once or by an invitation. Those who owned the workspace become editors and get a\n"
        "mail, and earlier invitations of owners are withdrawn. The new owner can do and read everything in the workspace.",
        requires=OperatorAction.TRANSFER_WORKSPACE,
    )
    async def transfer_workspace(self, info: Info, input: TransferWorkspaceInput) -> TransferWorkspaceResult | None:
        actor = info.context.actor
        owned = await ownership.transfer(actor, input.workspace, input.owner_email)
        shown = Workspace.of(await tenancy.seen(actor, None, workspace_id=owned.workspace.id))
        return TransferWorkspacePayload(workspace=shown, invitation_link=owned.link)

    @mutation(
        "Deletes a workspace permanently. From the next request on its API keys and management keys are refused as revoked; its\n"
        "members, invitations, webhooks and calendar link are gone, and its slug is free again. Repeated, it answers `NotFound`.",
        requires=Action.DELETE_WORKSPACE,
    )
    async def delete_workspace(self, info: Info, input: DeleteWorkspaceInput) -> DeleteWorkspaceResult | None:
        ended = await deletion.delete(info.context.actor, input.id, input.slug)
        return DeleteWorkspacePayload(deleted_id=strawberry.ID(ended.id), deleted_at=Instant(ended.deleted_at or 0))

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
