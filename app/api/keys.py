"""API keys: the type, its page in a workspace, and what can be done with one."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from app import catalogue
from app.api.actors import Actor
from app.api.callers import Caller, RevocationImpact, caller_page
from app.api.catalogue import Environment, Permission
from app.api.connection import Connection, Node, Slice, page
from app.api.context import Context, Info
from app.api.cursors import Cut, Window, refused
from app.api.loaders import Span
from app.api.places import Placed
from app.api.resolving import field, paged
from app.api.scalars import Instant, Network, given, instant
from app.api.usage import Usage
from app.keys import key as noun
from app.keys import service
from app.keys.listing import Between, KeyFilter, Order, Place, place_of
from app.keys.listing import Window as KeyWindow
from app.tenancy.workspace import Workspace
from app.usage.usage import Granularity

if TYPE_CHECKING:
    from app.api.rotations import Rotation

LONGEST_LOOK_BACK_DAYS: Final = 366

ApiKeyStatus = strawberry.enum(
    noun.Status,
    name="ApiKeyStatus",
    description="SUSPENDED keys are refused until they are resumed; EXPIRED and REVOKED are for ever.",
)
RevocationReason = strawberry.enum(noun.Reason, name="RevocationReason", description="With OTHER, say more in the note.")
RotationDue = strawberry.enum(noun.RotationDue, name="RotationDue", description="DUE_SOON: within 14 days.")
ApiKeyOrderField = strawberry.enum(
    Order,
    name="ApiKeyOrderField",
    description=(
        "Keys that were never used come before all others, keys that never expire, or need no rotation, after all others."
    ),
)


@strawberry.enum
class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.type(description="One secret with a name, an environment and permissions. The secret itself cannot be read.")
class ApiKey(Placed, Node):
    name: str
    prefix: str = strawberry.field(description="The beginning of the secret, for recognising it: `fl_live_a1b2`.")
    environment: Environment
    status: noun.Status
    permissions: list[Permission]
    allowed_ips: list[Network] = strawberry.field(description="Addresses and networks that may use the key; empty: any.")
    created_at: Instant
    created_by: Actor
    expires_at: Instant | None = strawberry.field(description="From this instant on the key is EXPIRED; null: never.")
    suspended_at: Instant | None
    last_used_at: Instant | None = strawberry.field(description="When the key itself was good and was last presented.")
    last_used_ip: str | None
    rotate_by: Instant | None = strawberry.field(
        description="When the environment's schedule wants the key replaced; null where it has none, and for a key that is over."
    )
    rotation_due: noun.RotationDue
    revoked_at: Instant | None
    revoked_by: Actor | None
    revocation_reason: noun.Reason | None
    revocation_note: str | None
    revision: str = strawberry.field(
        description="Another whenever what `updateApiKey` changes is another; what its `expectedRevision` takes."
    )
    key: strawberry.Private[noun.ApiKey]

    @classmethod
    def of(cls, key: noun.ApiKey, now: int) -> ApiKey:
        environment, revocation = catalogue.current().environment(key.environment), key.revocation
        return cls(
            id=strawberry.ID(key.id),
            workspace_id=key.workspace_id,
            name=key.name,
            prefix=key.prefix,
            environment=Environment.of(environment),
            status=key.status(now),
            permissions=[Permission.named(name) for name in key.permissions],
            allowed_ips=[Network(text) for text in key.allowed_ips],
            created_at=Instant(key.created_at),
            created_by=Actor.of(key.created_by),
            expires_at=instant(key.expires_at),
            suspended_at=instant(key.suspended_at),
            last_used_at=instant(key.last_used_at),
            last_used_ip=key.last_used_ip,
            rotate_by=None if key.is_over(now) else instant(key.rotate_by(environment.rotate_every_days)),
            rotation_due=key.rotation_due(environment.rotate_every_days, now),
            revoked_at=Instant(revocation.at) if revocation else None,
            revoked_by=Actor.of(revocation.by) if revocation else None,
            revocation_reason=revocation.reason if revocation else None,
            revocation_note=revocation.note if revocation else None,
            revision=key.version,
            key=key,
        )

    @field("When it was last edited, suspended, resumed or revoked, else made; using it does not count.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.id, self.created_at))

    @field(
        "Requests from `since` (left out: 30 days before the end) up to, but not including, `until` (left out: now), both widened\n"
        "to whole hours or days, at most 1,000 of them."
    )
    async def usage(
        self,
        info: Info,
        since: Instant | None = strawberry.UNSET,
        until: Instant | None = strawberry.UNSET,
        granularity: Granularity = Granularity.DAY,
    ) -> Usage | None:
        span = Span(given(since), given(until), granularity)
        return Usage.of(await info.context.usage.load(self.id, span), self.last_used_at)

    @field(f"Permissions the key holds and has not used with success in the last `days` days (1 to {LONGEST_LOOK_BACK_DAYS}).")
    async def unused_permissions(self, info: Info, days: int = 30) -> list[Permission] | None:
        if not 1 <= days <= LONGEST_LOOK_BACK_DAYS:
            raise refused(f"`days` is a number from 1 to {LONGEST_LOOK_BACK_DAYS}.")
        used = await info.context.usage.permissions_used(self.id, days)
        return [permission for permission in self.permissions if permission.name not in used]

    @field("Its open rotation, else its latest one, whether it is the predecessor or the successor.")
    async def rotation(self, info: Info) -> Annotated[Rotation, strawberry.lazy("app.api.rotations")] | None:
        from app.api.rotations import Rotation  # here, because each of the two types shows the other

        found = await info.context.keys.rotation(self.id)
        return Rotation.of(found, await info.context.now()) if found else None

    @field("The key that this one replaced or was to replace.")
    async def predecessor(self, info: Info) -> ApiKey | None:
        return await _shown(info, (await info.context.keys.relatives(self.id)).predecessor)

    @field("The key that replaces this one, or has replaced it.")
    async def successor(self, info: Info) -> ApiKey | None:
        return await _shown(info, (await info.context.keys.relatives(self.id)).successor)

    @paged("Who uses the key, the newest first.")
    async def callers(self, info: Info, cut: Cut) -> Connection[Caller] | None:
        return await caller_page(info.context, self.id, cut)

    @field("What the key was used for lately: is it safe to revoke?")
    async def revocation_impact(self, info: Info) -> RevocationImpact | None:
        beside = info.context.keys
        return RevocationImpact.of(*await asyncio.gather(beside.impact(self.key), beside.rotation(self.id)))


@strawberry.input(description="Times between two instants, both left out; without one of them open on that side.")
class DateTimeRange:
    after: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only later times.")
    before: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only earlier times.")

    @classmethod
    def plain(cls, asked: DateTimeRange | None) -> Between:
        return Between(given(asked.after), given(asked.before)) if asked else Between()


@strawberry.input(description="Every condition given must hold.")
class ApiKeyFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Part of the name, or the beginning of the prefix; at most 200 characters. Of a whole secret only its prefix is\n"
            "looked at."
        ),
    )
    name: str | None = strawberry.field(default=strawberry.UNSET, description="The whole name, in the same capitals.")
    status: list[noun.Status] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    environment: str | None = strawberry.field(default=strawberry.UNSET, description="The name of an environment.")
    environments: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The names of environments, any of these; null or empty: any."
    )
    permission: str | None = strawberry.field(default=strawberry.UNSET, description="The name of a permission the key holds.")
    rotation: list[noun.RotationDue] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these: where the key stands in its environment's schedule."
    )
    created_by: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The `actorId` of who made it: a user or a management key."
    )
    created_at: DateTimeRange | None = strawberry.field(default=strawberry.UNSET, description="When it was made.")
    last_used_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="When it was last used; leaves out keys that never were."
    )
    expires_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="When it expires or expired; leaves out keys that never do."
    )
    never_used: bool | None = strawberry.field(
        default=strawberry.UNSET, description="True: only keys that were never used. False: only those that were."
    )

    def plain(self) -> KeyFilter:
        return KeyFilter(
            search=given(self.search) or "",
            statuses=tuple(given(self.status) or ()),
            environment=given(self.environment),
            permission=given(self.permission),
            rotation=tuple(given(self.rotation) or ()),
            name=given(self.name),
            environments=tuple(given(self.environments) or ()),
            created_by=given(self.created_by),
            never_used=given(self.never_used),
            created_at=DateTimeRange.plain(given(self.created_at)),
            last_used_at=DateTimeRange.plain(given(self.last_used_at)),
            expires_at=DateTimeRange.plain(given(self.expires_at)),
        )


@strawberry.input
class ApiKeyOrder:
    field: Order
    direction: OrderDirection = OrderDirection.ASC


async def api_keys(
    context: Context, workspace: Workspace, cut: Cut, filter: ApiKeyFilter | None, order_by: ApiKeyOrder | None
) -> Connection[ApiKey]:
    """A page of a workspace's keys."""
    wanted = filter.plain() if filter else KeyFilter()
    order, descending = (order_by.field, order_by.direction is OrderDirection.DESC) if order_by else (Order.CREATED_AT, True)
    window = cut.of(f"{workspace.id} apiKeys {order} {descending}")
    found = await service.page(context.actor, workspace.slug, places(window), wanted, order, descending=descending)
    now = await context.now()

    def position(key: noun.ApiKey) -> tuple[int | str, str]:
        place = place_of(key, order, now)
        return (place.value, place.id)

    async def count() -> int:
        return await service.count(context.actor, workspace.slug, wanted)

    rows = Slice(found.keys, found.has_next, found.has_previous)
    return page(window, rows, node=lambda key: ApiKey.of(key, now), position=position, count=count)


def places(window: Window) -> KeyWindow:
    """A window whose positions are a sort value and an id."""
    after, before = (Place(*position) if position else None for position in (window.after, window.before))
    return KeyWindow(window.limit, after=after, before=before, backwards=window.backwards)


async def _shown(info: Info, key: noun.ApiKey | None) -> ApiKey | None:
    return ApiKey.of(key, await info.context.now()) if key else None
