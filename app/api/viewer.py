"""The viewer: the actor of a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import strawberry

from app.access import policy
from app.access.actor import Actor, OperatorScope, Scope
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import field, object_type
from app.api.framework.scalars import ScopeName
from app.api.management_keys import ManagementKey
from app.api.members import User
from app.api.workspaces import Workspace
from app.management_keys import service as management_keys
from app.tenancy import service as tenancy

_SCOPES: Final = (*Scope, *OperatorScope)


@strawberry.enum
class ViewerKind(StrEnum):
    USER = "USER"
    MANAGEMENT_KEY = "MANAGEMENT_KEY"
    OPERATOR_KEY = "OPERATOR_KEY"


@object_type("Who is asking.", requires=ANYONE)
class Viewer:
    kind: ViewerKind
    scopes: list[ScopeName] = strawberry.field(
        description="What a management key or an operator key may be asked to do; empty for a user, whose role decides."
    )
    actor: strawberry.Private[Actor]

    @classmethod
    def of(cls, actor: Actor) -> Viewer:
        return cls(
            kind=ViewerKind(actor.kind), scopes=[ScopeName(scope) for scope in _SCOPES if scope in actor.scopes], actor=actor
        )

    @field(
        "Of `scopes`, and what they include, those with which a key can do anything now: its maker's present role and the\n"
        "suspension of its workspace may leave a management key less. Empty for a user, whose role decides."
    )
    async def effective_scopes(self) -> list[ScopeName]:
        if self.kind is ViewerKind.USER:
            return []
        if self.kind is ViewerKind.OPERATOR_KEY:
            held = policy.held_scopes(self.actor)
            return [ScopeName(scope) for scope in OperatorScope if scope in held]
        (access,) = await tenancy.mine(self.actor)
        suspended = access.workspace.suspended_at is not None
        return [ScopeName(scope) for scope in policy.effective_scopes(self.actor, access.role, suspended=suspended)]

    @field("Null for a key.")
    async def user(self) -> User | None:
        user = await tenancy.myself(self.actor)
        return User.of(user) if user else None

    @field("Null for a user and for an operator key.")
    async def management_key(self, info: Info) -> ManagementKey | None:
        if self.kind is not ViewerKind.MANAGEMENT_KEY:
            return None
        return ManagementKey.of(await management_keys.get(self.actor, self.actor.id), await info.context.now())

    @field("Where the caller may act; a management key has one. Empty for an operator key, which lists `workspaces` of its own.")
    async def workspaces(self) -> list[Workspace]:
        return [Workspace.of(access) for access in await tenancy.mine(self.actor)]
