"""Inviting, changing roles and removing: each mutation parses, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.actor import Role
from app.api.context import Info
from app.api.inputs import SLUG
from app.api.management import ManagementKey
from app.api.people import Invitation, Member
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.resolving import mutation
from app.api.scalars import given
from app.api.workspaces import Workspace
from app.errors import NotFound as Missing
from app.members import service
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.tenancy.workspace import Workspace as Place


@strawberry.input
class InviteMemberInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    email: str
    role: Role


@strawberry.type
class InviteMemberPayload:
    invitation: Invitation
    link: str | None = strawberry.field(description="What the invited person opens; shown now and never again.")


@strawberry.input
class WithdrawInvitationInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    id: strawberry.ID = strawberry.field(description="The id of the invitation, `inv_…`.")


@strawberry.type
class WithdrawInvitationPayload:
    invitation: Invitation


@strawberry.input
class ChangeMemberRoleInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    user: strawberry.ID = strawberry.field(description="The id of the user, `usr_…`.")
    role: Role
    expected_role: Role | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The role that was read: if it is another one now, nothing is changed and the answer is a Conflict.\n"
            "Left out or null: not looked at."
        ),
    )


@strawberry.type
class ChangeMemberRolePayload:
    member: Member


@strawberry.input
class RemoveMemberInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    user: strawberry.ID = strawberry.field(description="The id of the user, `usr_…`; one's own: to leave.")
    take_over: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Ids of management keys the member made that the remover takes over; the member's other ones are revoked.",
    )


@strawberry.type
class RemoveMemberPayload:
    workspace: Workspace
    taken_over: list[ManagementKey]
    revoked: list[ManagementKey]


InviteMemberResult: TypeAlias = Annotated[
    InviteMemberPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("InviteMemberResult")
]
WithdrawInvitationResult: TypeAlias = Annotated[
    WithdrawInvitationPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("WithdrawInvitationResult")
]
ChangeMemberRoleResult: TypeAlias = Annotated[
    ChangeMemberRolePayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("ChangeMemberRoleResult")
]
RemoveMemberResult: TypeAlias = Annotated[
    RemoveMemberPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("RemoveMemberResult")
]


@strawberry.type
class MemberMutation:
    @mutation("Makes an invitation link, valid for 7 days and for one use; an earlier one for the same address is void.")
    async def invite_member(self, info: Info, input: InviteMemberInput) -> InviteMemberResult | None:
        invitation, link = await service.invite(info.context.actor, given(input.workspace), input.email, input.role)
        return InviteMemberPayload(invitation=Invitation.of(invitation), link=link)

    @mutation("The invitation's link opens nothing any more. `NotFound` for one that was accepted or is too old.")
    async def withdraw_invitation(self, info: Info, input: WithdrawInvitationInput) -> WithdrawInvitationResult | None:
        withdrawn = await service.withdraw_invitation(info.context.actor, given(input.workspace), input.id)
        return WithdrawInvitationPayload(invitation=Invitation.of(withdrawn))

    @mutation("The last owner stays owner.")
    async def change_member_role(self, info: Info, input: ChangeMemberRoleInput) -> ChangeMemberRoleResult | None:
        actor, slug, seen = info.context.actor, given(input.workspace), given(input.expected_role)
        member = await service.change_role(actor, slug, input.user, input.role, seen=seen)
        return ChangeMemberRolePayload(member=Member.of(member))

    @mutation("Ends a membership. The management keys that person made are taken over or revoked in the same step.")
    async def remove_member(self, info: Info, input: RemoveMemberInput) -> RemoveMemberResult | None:
        actor, now = info.context.actor, await info.context.now()
        removed = await service.remove(actor, given(input.workspace), input.user, given(input.take_over) or ())
        return RemoveMemberPayload(
            workspace=await _seen_last(info, removed.workspace),
            taken_over=[ManagementKey.of(key, now) for key in removed.taken_over],
            revoked=[ManagementKey.of(key, now) for key in removed.revoked],
        )


async def _seen_last(info: Info, place: Place) -> Workspace:
    """As the caller sees it; who has just left sees it a last time."""
    actor = info.context.actor
    try:
        return Workspace.of(await tenancy.seen(actor, None, workspace_id=place.id), actor)
    except Missing:
        return Workspace.of(Access(place, None), actor)
