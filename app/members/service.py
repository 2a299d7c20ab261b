"""Who belongs to a workspace and as what. The workspace's lock keeps two changes from taking its last owner together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from app import ids
from app.access.actor import Actor, ActorKind, Role
from app.access.policy import Action
from app.accounts import store as account_store
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotFound, ValidationFailed
from app.management import service as management
from app.management.key import ManagementKey
from app.members import invitations as inviting
from app.members.invitation import Invitation, InvitationView
from app.members.invitations import accept, accept_as_new, find_invitation, get_invitation, invitations, invite, withdraw_invitation
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import Member, Workspace
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
    """Who left which workspace, and what became of the management keys they had made."""

    workspace: Workspace
    member: Member
    taken_over: list[ManagementKey]
    revoked: list[ManagementKey]


async def members(actor: Actor, slug: str | None) -> list[Member]:
    """The longest-standing first."""
    access = await tenancy.reading(actor, slug, Action.READ_MEMBERS)
    return await workspace_store.members(access.workspace.id)


async def get(actor: Actor, member_id: str) -> Member:
    """By the id of the membership. Raises NotFound, also for one in a workspace the actor does not belong to; NotAllowed."""
    member = await workspace_store.member_by_id(member_id)
    if member is None:
        raise NotFound("member")
    await tenancy.reading(actor, None, Action.READ_MEMBERS, workspace_id=member.workspace_id)
    return member


async def change_role(actor: Actor, slug: str | None, user_id: str, role: Role, *, seen: str | None = None) -> Member:
    """Binds from the next request on. Raises NotFound, Stale if the role is no longer the one that was seen, or Conflict for
    the last owner."""
    async with tenancy.changing(actor, slug, Action.CHANGE_MEMBER_ROLE) as change:
        member = await _get(change, user_id)
        if member.role is role:
            return member
        require_same(seen, str(member.role))
        await _leave_an_owner(change, member)
        await set_role_in(change, member, role)
    return replace(member, role=role)


async def remove(
    actor: Actor, slug: str | None, user_id: str, take_over: Collection[str] = (), *, seen: str | None = None
) -> Removed:
    """Ends a membership, one's own too. The named management keys go to whoever removes, the member's other ones end.

    What they had invited is withdrawn, and who belongs nowhere any more is signed out. Raises NotFound, Conflict for the
    last owner, ValidationFailed at `takeOver`, or Stale if these are no longer the management keys that were seen.
    """
    leaving = actor.kind is ActorKind.USER and actor.id == user_id
    async with tenancy.changing(actor, slug, Action.LEAVE_WORKSPACE if leaving else Action.REMOVE_MEMBER) as change:
        member = await _get(change, user_id)
        await _leave_an_owner(change, member)
        if leaving and take_over:
            raise ValidationFailed(FieldProblem("takeOver", "INVALID", "You cannot take over keys when you leave; ask an owner."))
        settled = await remove_in(change, member, take_over, seen)
    return Removed(change.place, member, settled.taken_over, settled.revoked)


async def remove_in(
    change: Change, member: Member, take_over: Collection[str] = (), seen: str | None = None, **detail: object
) -> management.Settled:
    """Ends a membership inside an open change; `detail` is what the audit entry says beside."""
    settled = await management.settle(change, member.user.id, change.actor, take_over, seen)
    await inviting.withdraw_made_by(change, member.user.id)
    await workspace_store.remove_member(change.place.id, member.user.id)
    if not await workspace_store.of_user(member.user.id):
        await account_store.end_sessions(member.user.id)
    await audit.record(change, "member.removed", member.user.id, role=str(member.role), name=member.user.name, **detail)
    return settled


async def set_role_in(change: Change, member: Member, role: Role, **detail: object) -> None:
    """Gives another role inside an open change; `detail` is what the audit entry says beside."""
    await workspace_store.set_role(change.place.id, member.user.id, role)
    shown = {"name": member.user.name, "before": str(member.role), "after": str(role)}
    await audit.record(change, "member.role_changed", member.user.id, **shown, **detail)
    await inviting.withdraw_made_by(change, member.user.id)


async def _get(change: Change, user_id: str) -> Member:
    found = await workspace_store.find_member(change.place.id, user_id) if ids.is_a(ids.USER, user_id) else None
    if found is None:
        raise NotFound("member")
    return found


async def _leave_an_owner(change: Change, member: Member) -> None:
    if member.role is Role.OWNER and await workspace_store.count_owners(change.place.id) == 1:
        raise Conflict("This is the last owner of the workspace. Make somebody else an owner first.")
