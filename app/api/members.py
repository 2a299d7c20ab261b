"""Users, members and invitations: the types, and a workspace's pages of members and invitations."""

from __future__ import annotations

import strawberry

from app.access.actor import Role
from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, Node, count_of, page
from app.api.framework.context import Context
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import object_type
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant
from app.members import invitation
from app.members import service as members_service
from app.members.invitation import INVITATION_ID
from app.tenancy import workspace as noun
from app.tenancy.service import Access
from app.tenancy.workspace import MEMBER_ID
from app.users.user import User as UserData

strawberry.enum(Role, name="Role", description="A VIEWER reads, an EDITOR makes and changes API keys, an OWNER does everything.")


@object_type(requires=ANYONE)
class User:
    id: strawberry.ID
    name: str
    email: str

    @classmethod
    def of(cls, user: UserData) -> User:
        return cls(id=strawberry.ID(user.id), name=user.name, email=user.email)


@object_type("A user in a workspace.", requires=Action.READ_MEMBERS)
class Member(Node):
    user: User
    role: Role
    joined_at: Instant
    workspace_id: strawberry.Private[str]

    @classmethod
    def of(cls, member: noun.Member) -> Member:
        return cls(
            id=strawberry.ID(member.id),
            user=User.of(member.user),
            role=member.role,
            joined_at=Instant(member.created_at),
            workspace_id=member.workspace_id,
        )


@object_type("An invitation to join that is still open.", requires=Action.READ_MEMBERS)
class Invitation(Node):
    email: str
    role: Role
    invited_at: Instant
    expires_at: Instant
    workspace_id: strawberry.Private[str]

    @classmethod
    def of(cls, found: invitation.Invitation) -> Invitation:
        return cls(
            id=strawberry.ID(found.id),
            email=found.email,
            role=found.role,
            invited_at=Instant(found.invited_at),
            expires_at=Instant(found.expires_at),
            workspace_id=found.workspace_id,
        )


async def members(context: Context, access: Access, args: ConnectionArgs) -> Connection[Member]:
    """A page of a workspace's members, the longest-standing first."""
    name = f"{access.workspace.id} members"
    window = args.of(name)
    rows = await members_service.members(access)

    def position(member: noun.Member) -> tuple[int, str]:
        return member.created_at, member.id

    return page(name, window.page_of_all(rows, position), node=Member.of, position=position, count=count_of(rows))


async def invitations(context: Context, access: Access, args: ConnectionArgs) -> Connection[Invitation]:
    """A page of a workspace's open invitations, the oldest first."""
    name = f"{access.workspace.id} invitations"
    window = args.of(name)
    rows = await members_service.invitations(access)

    def position(found: invitation.Invitation) -> tuple[int, str]:
        return found.invited_at, found.id

    return page(name, window.page_of_all(rows, position), node=Invitation.of, position=position, count=count_of(rows))


@found_by_id(MEMBER_ID)
async def _member(context: Context, member_id: str) -> Member:
    return Member.of(await members_service.get(context.actor, member_id))


@found_by_id(INVITATION_ID)
async def _invitation(context: Context, invitation_id: str) -> Invitation:
    return Invitation.of(await members_service.get_invitation(context.actor, invitation_id))
