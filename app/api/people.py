"""People and their place in a workspace: the types, and a workspace's pages of members and invitations."""

from __future__ import annotations

import strawberry

from app.access.actor import Role
from app.api.connection import Connection, Node, cut, known, page
from app.api.context import Context
from app.api.cursors import Cut
from app.api.scalars import Instant
from app.members import invitation
from app.members import service as members_service
from app.tenancy import workspace as noun

strawberry.enum(Role, name="Role", description="A VIEWER reads, an EDITOR makes and changes API keys, an OWNER does everything.")


@strawberry.type
class User:
    id: strawberry.ID
    name: str
    email: str

    @classmethod
    def of(cls, user: noun.User) -> User:
        return cls(id=strawberry.ID(user.id), name=user.name, email=user.email)


@strawberry.type(description="A user in a workspace.")
class Member(Node):
    user: User
    role: Role
    joined_at: Instant

    @classmethod
    def of(cls, member: noun.Member) -> Member:
        return cls(id=strawberry.ID(member.id), user=User.of(member.user), role=member.role, joined_at=Instant(member.created_at))


@strawberry.type(description="Somebody who was asked to join and has not answered yet.")
class Invitation(Node):
    email: str
    role: Role
    invited_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, found: invitation.Invitation) -> Invitation:
        return cls(
            id=strawberry.ID(found.id),
            email=found.email,
            role=found.role,
            invited_at=Instant(found.invited_at),
            expires_at=Instant(found.expires_at),
        )


async def members(context: Context, workspace: noun.Workspace, asked: Cut) -> Connection[Member]:
    """A page of a workspace's members, the longest-standing first."""
    window = asked.of(f"{workspace.id} members")
    rows = await members_service.members(context.actor, workspace.slug)

    def position(member: noun.Member) -> tuple[int, str]:
        return member.created_at, member.id

    return page(window, cut(window, rows, position), node=Member.of, position=position, count=known(rows))


async def invitations(context: Context, workspace: noun.Workspace, asked: Cut) -> Connection[Invitation]:
    """A page of a workspace's open invitations, the oldest first."""
    window = asked.of(f"{workspace.id} invitations")
    rows = await members_service.invitations(context.actor, workspace.slug)

    def position(found: invitation.Invitation) -> tuple[int, str]:
        return found.invited_at, found.id

    return page(window, cut(window, rows, position), node=Invitation.of, position=position, count=known(rows))
