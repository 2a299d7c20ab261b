"""Mutations of members and invitations: each parses its input, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.actor import Role
from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import SLUG
from app.api.framework.scalars import unset_to_none
from app.api.management_keys import ManagementKey
from app.api.members import Invitation, Member
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.members import service


@strawberry.input
class InviteMemberInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    email: str
    role: Role


@object_type(requires=ANYONE)
class InviteMemberPayload:
    invitation: Invitation
    link: str | None = strawberry.field(description="What the invited person opens; shown now and never again.")


@strawberry.input
class WithdrawInvitationInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    id: strawberry.ID = strawberry.field(description="The id of the invitation, `inv_…`.")


@object_type(requires=ANYONE)
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
            "Left out or null: not checked."
        ),
    )


@object_type(requires=ANYONE)
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


@object_type(requires=ANYONE)
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
    @mutation(
        "Makes an invitation link, valid for 7 days and for one use; an earlier one for the same address is void.",
        requires=Action.INVITE_MEMBER,
    )
    async def invite_member(self, info: Info, input: InviteMemberInput) -> InviteMemberResult | None:
        invitation, link = await service.invite(info.context.actor, unset_to_none(input.workspace), input.email, input.role)
        return InviteMemberPayload(invitation=Invitation.of(invitation), link=link)

    @mutation(
        "The invitation's link opens nothing any more. `NotFound` for one that was accepted or is too old.",
        requires=Action.INVITE_MEMBER,
    )
    async def withdraw_invitation(self, info: Info, input: WithdrawInvitationInput) -> WithdrawInvitationResult | None:
        withdrawn = await service.withdraw_invitation(info.context.actor, unset_to_none(input.workspace), input.id)
        return WithdrawInvitationPayload(invitation=Invitation.of(withdrawn))

    @mutation("The last owner stays owner.", requires=Action.CHANGE_MEMBER_ROLE)
    async def change_member_role(self, info: Info, input: ChangeMemberRoleInput) -> ChangeMemberRoleResult | None:
        actor, slug, expected = info.context.actor, unset_to_none(input.workspace), unset_to_none(input.expected_role)
        member = await service.change_role(actor, slug, input.user, input.role, expected=expected)
        return ChangeMemberRolePayload(member=Member.of(member))

    @mutation(
        "Ends a membership. The management keys that person made are taken over or revoked in the same step.",
        requires=Action.REMOVE_MEMBER,
    )
    async def remove_member(self, info: Info, input: RemoveMemberInput) -> RemoveMemberResult | None:
        actor, now = info.context.actor, await info.context.now()
        removed = await service.remove(actor, unset_to_none(input.workspace), input.user, unset_to_none(input.take_over) or ())
        return RemoveMemberPayload(
            workspace=Workspace.of(removed.access),
            taken_over=[ManagementKey.of(key, now) for key in removed.taken_over],
            revoked=[ManagementKey.of(key, now) for key in removed.revoked],
        )
