"""The members of a workspace and their roles. The workspace's lock keeps two changes from removing its last owner together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from app import ids
from app.access.actor import Actor, ActorKind, Role
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotFound, ValidationFailed
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKey
from app.members import events
from app.members import invitations as inviting
from app.members.invitation import Invitation, InvitationView
from app.members.invitations import accept, accept_as_new, find_invitation, get_invitation, invitations, invite, withdraw_invitation
from app.sessions import service as sessions
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access, Change
from app.tenancy.workspace import Member
from app.users.user import USER_ID
from app.versions import require_same

__all__ = [
    "Invitation",
    "InvitationView",
    "Removed",
    "accept",
    "accept_as_new",
    "change_role",
    "find_invitation",
    "get_invitation",
    "invitations",
    "invite",
    "members",
    "remove",
    "withdraw_invitation",
]


@dataclass(frozen=True, slots=True)
class Removed:
    """Who left, what happened to the management keys they had made, and the workspace as the remover sees it now, even if
    the remover has just left."""

    access: Access
    member: Member
    taken_over: list[ManagementKey]
    revoked: list[ManagementKey]


async def members(access: Access) -> list[Member]:
    """All members, by the time they joined."""
    access.require(Action.READ_MEMBERS)
    return await workspace_store.members(access.workspace.id)


async def get(actor: Actor, member_id: str) -> Member:
    """By the id of the membership. Raises NotFound, also for one in a workspace the actor does not belong to; NotAllowed."""
    member = await workspace_store.member_by_id(member_id)
    if member is None:
        raise NotFound("member")
    await tenancy.reading(actor, None, Action.READ_MEMBERS, workspace_id=member.workspace_id)
    return member


async def change_role(actor: Actor, slug: str | None, user_id: str, role: Role, *, expected: str | None = None) -> Member:
    """Changes a role, effective with the next request. Raises NotFound, Stale if the role is no longer the one that was seen,
    or Conflict for the last owner."""
    async with tenancy.changing(actor, slug, Action.CHANGE_MEMBER_ROLE) as change:
        member = await _get(change, user_id)
        if member.role is role:
            return member
        require_same(expected, str(member.role))
        await _leave_an_owner(change, member)
        await set_role_in(change, member, role)
    return replace(member, role=role)


async def remove(
    actor: Actor, slug: str | None, user_id: str, take_over: Collection[str] = (), *, expected: str | None = None
) -> Removed:
    """Ends a membership, also the actor's own. The named management keys go to the actor, the member's other ones are revoked.

    Their invitations are withdrawn, and a user without any membership left is signed out. Raises NotFound, Conflict for the
    last owner, ValidationFailed at `takeOver`, or Stale if these are no longer the management keys that were seen.
    """
    leaving = actor.kind is ActorKind.USER and actor.id == user_id
    async with tenancy.changing(actor, slug, Action.LEAVE_WORKSPACE if leaving else Action.REMOVE_MEMBER) as change:
        member = await _get(change, user_id)
        await _leave_an_owner(change, member)
        if leaving and take_over:
            raise ValidationFailed(FieldProblem("takeOver", "INVALID", "You cannot take over keys when you leave; ask an owner."))
        handover = await remove_in(change, member, take_over, expected)
    return Removed(change.parting_access if leaving else change.access, member, handover.taken_over, handover.revoked)


async def remove_in(
    change: Change, member: Member, take_over: Collection[str] = (), expected: str | None = None, **detail: object
) -> management_keys.HandoverResult:
    """Ends a membership inside an open change; `detail`: additional data of the audit entry."""
    handover = await management_keys.hand_over_or_revoke(change, member.user.id, change.actor, take_over, expected)
    await inviting.withdraw_made_by(change, member.user.id)
    await workspace_store.remove_member(change.workspace.id, member.user.id)
    if not await workspace_store.of_user(member.user.id):
        await sessions.end_all(member.user.id)
    await audit.record(change, events.REMOVED, member.user.id, role=str(member.role), name=member.user.name, **detail)
    return handover


async def set_role_in(change: Change, member: Member, role: Role, **detail: object) -> None:
    """Changes a role inside an open change; `detail`: additional data of the audit entry."""
    await workspace_store.set_role(change.workspace.id, member.user.id, role)
    shown = {"name": member.user.name, "before": str(member.role), "after": str(role)}
    await audit.record(change, events.ROLE_CHANGED, member.user.id, **shown, **detail)
    await inviting.withdraw_made_by(change, member.user.id)


async def _get(change: Change, user_id: str) -> Member:
    found = await workspace_store.find_member(change.workspace.id, user_id) if ids.is_a(USER_ID, user_id) else None
    if found is None:
        raise NotFound("member")
    return found


async def _leave_an_owner(change: Change, member: Member) -> None:
    if member.role is Role.OWNER and await workspace_store.count_owners(change.workspace.id) == 1:
        raise Conflict("This is the last owner of the workspace. Make someone else an owner first.")
