"""Management keys: the type, its page in a workspace, making one and ending one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.api.connection import Connection, Node, page, read
from app.api.context import Context, Info
from app.api.cursors import Cut
from app.api.inputs import SLUG
from app.api.people import User
from app.api.places import Placed
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.resolving import mutation
from app.api.scalars import Instant, ScopeName, given, instant
from app.management import key as noun
from app.management import service
from app.tenancy.workspace import Workspace

strawberry.enum(noun.Status, name="ManagementKeyStatus")


@strawberry.type(description="A credential for this API. It can never do more than the member who made it may do now.")
class ManagementKey(Placed, Node):
    name: str
    prefix: str = strawberry.field(description="The beginning of the secret, for recognising it: `fl_mgmt_a1b2`.")
    status: noun.Status
    scopes: list[ScopeName]
    maker: User | None = strawberry.field(
        description="The member whose present role bounds the key; null when it was made by the operator, with an owner's rights."
    )
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None

    @classmethod
    def of(cls, key: noun.ManagementKey, now: int) -> ManagementKey:
        return cls(
            id=strawberry.ID(key.id),
            workspace_id=key.workspace_id,
            name=key.name,
            prefix=key.prefix,
            status=key.status(now),
            scopes=[ScopeName(scope) for scope in key.scopes],
            maker=User.of(key.maker) if key.maker else None,
            created_at=Instant(key.created_at),
            expires_at=Instant(key.expires_at),
            last_used_at=instant(key.last_used_at),
            revoked_at=instant(key.revoked_at),
        )


async def management_keys(context: Context, workspace: Workspace, cut: Cut) -> Connection[ManagementKey]:
    """A page of a workspace's management keys, the newest first."""
    window = cut.of(f"{workspace.id} managementKeys")
    rows = await service.page(
        context.actor, workspace.slug, limit=window.limit + 1, after=window.after, before=window.before, backwards=window.backwards
    )
    now = await context.now()

    async def count() -> int:
        return await service.count(context.actor, workspace.slug)

    return page(
        window,
        read(window, rows),
        node=lambda key: ManagementKey.of(key, now),
        position=lambda key: (key.created_at, key.id),
        count=count,
    )


@strawberry.input
class CreateManagementKeyInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    name: str
    scopes: list[ScopeName] = strawberry.field(description="At least one.")
    expires_at: Instant = strawberry.field(description="At most a year from now.")


@strawberry.type
class CreateManagementKeyPayload:
    management_key: ManagementKey
    secret: str | None = strawberry.field(description="Shown now and never again.")


@strawberry.input
class RevokeManagementKeyInput:
    id: strawberry.ID


@strawberry.type
class RevokeManagementKeyPayload:
    management_key: ManagementKey


CreateManagementKeyResult: TypeAlias = Annotated[
    CreateManagementKeyPayload | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("CreateManagementKeyResult"),
]
RevokeManagementKeyResult: TypeAlias = Annotated[
    RevokeManagementKeyPayload | NotFound | NotAllowed, strawberry.union("RevokeManagementKeyResult")
]


@strawberry.type
class ManagementKeyMutation:
    @mutation("Makes a management key. Its secret is in this answer and nowhere else, ever. Not for management keys themselves.")
    async def create_management_key(self, info: Info, input: CreateManagementKeyInput) -> CreateManagementKeyResult | None:
        asked = noun.Asked(input.name, tuple(input.scopes), input.expires_at)
        key, secret = await service.create(info.context.actor, given(input.workspace), asked)
        return CreateManagementKeyPayload(management_key=ManagementKey.of(key, await info.context.now()), secret=secret)

    @mutation("Revokes a management key permanently; repeated, it answers the same. Not for management keys themselves.")
    async def revoke_management_key(self, info: Info, input: RevokeManagementKeyInput) -> RevokeManagementKeyResult | None:
        key = await service.revoke(info.context.actor, input.id)
        return RevokeManagementKeyPayload(management_key=ManagementKey.of(key, await info.context.now()))
