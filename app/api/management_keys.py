"""Management keys: the type, its pages in a workspace, creating and revoking."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, Node, page
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import field, mutation, object_type
from app.api.framework.inputs import SLUG
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, Network, ScopeName, instant, unset_to_none
from app.api.members import User
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.keys.idempotency import RepeatedRequest
from app.management_keys import management_key as noun
from app.management_keys import service
from app.management_keys.management_key import MANAGEMENT_KEY_ID
from app.tenancy.service import Access

strawberry.enum(noun.Status, name="ManagementKeyStatus")


# Every management key may read itself, through `viewer`.
@object_type("A credential for this API. It can never do more than the member who made it may do now.", requires=ANYONE)
class ManagementKey(Node):
    name: str
    prefix: str = strawberry.field(description="The beginning of the secret, for recognizing it: `fl_mgmt_a1b2`.")
    status: noun.Status
    scopes: list[ScopeName]
    allowed_ips: list[Network] = strawberry.field(description="Addresses and networks that may use the key; empty: any.")
    maker: User | None = strawberry.field(
        description="The member whose present role bounds the key; null when it was made by the operator, with an owner's rights."
    )
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None
    workspace_id: strawberry.Private[str]

    @field("When it was revoked or taken over, else made; using it does not count.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.workspace_id, self.id, self.created_at))

    @classmethod
    def of(cls, key: noun.ManagementKey, now: int) -> ManagementKey:
        return cls(
            id=strawberry.ID(key.id),
            workspace_id=key.workspace_id,
            name=key.name,
            prefix=key.prefix,
            status=key.status(now),
            scopes=[ScopeName(scope) for scope in key.scopes],
            allowed_ips=[Network(text) for text in key.allowed_ips],
            maker=User.of(key.maker) if key.maker else None,
            created_at=Instant(key.created_at),
            expires_at=Instant(key.expires_at),
            last_used_at=instant(key.last_used_at),
            revoked_at=instant(key.revoked_at),
        )


async def management_keys(context: Context, access: Access, args: ConnectionArgs) -> Connection[ManagementKey]:
    """A page of a workspace's management keys, the newest first."""
    name = f"{access.workspace.id} managementKeys"
    found = await service.page(access, args.of(name))
    now = await context.now()

    async def count() -> int:
        return await service.count(access)

    return page(
        name,
        found,
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
    allowed_ips: list[Network] | None = strawberry.field(
        default=strawberry.UNSET, description="IPv4 and IPv6 addresses and networks; left out or empty: any."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Any text, at most 200 characters. Repeated within 24 hours with the same input it gives the same key, with `secret:\n"
            "null`; with another input, a Conflict."
        ),
    )


@object_type(requires=ANYONE)
class CreateManagementKeyPayload:
    management_key: ManagementKey
    secret: str | None = strawberry.field(description="Shown now and never again; null in the answer to a repeated request.")


@strawberry.input
class RevokeManagementKeyInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
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
    @mutation(
        "Makes a management key. Its secret is in this answer and nowhere else, ever.",
        requires=Action.CREATE_MANAGEMENT_KEY,
    )
    async def create_management_key(self, info: Info, input: CreateManagementKeyInput) -> CreateManagementKeyResult | None:
        networks = tuple(unset_to_none(input.allowed_ips) or ())
        wanted = noun.ManagementKeyInput(input.name, tuple(input.scopes), input.expires_at, networks)
        actor, slug = info.context.actor, unset_to_none(input.workspace)
        secret: str | None = None
        try:
            key, secret = await service.create(actor, slug, wanted, idempotency_key=unset_to_none(input.idempotency_key))
        except RepeatedRequest as repeated:
            key = await service.get(actor, repeated.result)
        return CreateManagementKeyPayload(management_key=ManagementKey.of(key, await info.context.now()), secret=secret)

    @mutation(
        "Revokes a management key permanently; repeated, it answers the same.",
        requires=Action.REVOKE_MANAGEMENT_KEY,
    )
    async def revoke_management_key(self, info: Info, input: RevokeManagementKeyInput) -> RevokeManagementKeyResult | None:
        key = await service.revoke(info.context.actor, input.id)
        return RevokeManagementKeyPayload(management_key=ManagementKey.of(key, await info.context.now()))


@found_by_id(MANAGEMENT_KEY_ID)
async def _by_id(context: Context, key_id: str) -> ManagementKey:
    return ManagementKey.of(await service.get(context.actor, key_id), await context.now())
