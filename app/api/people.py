"""People and their place in a workspace."""

from __future__ import annotations

import strawberry

from app.access.actor import Role
from app.api.scalars import Instant
from app.workspaces import workspace as noun

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
class Member:
    user: User
    role: Role
    joined_at: Instant

    @classmethod
    def of(cls, member: noun.Member) -> Member:
        return cls(user=User.of(member.user), role=member.role, joined_at=Instant(member.created_at))
