"""A workspace's pages of API keys: filter and order."""

from __future__ import annotations

from enum import StrEnum

import strawberry

from app import catalogue
from app.api.framework.connection import Connection, page
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.scalars import Instant, unset_to_none
from app.api.key_types import ApiKey
from app.api.labels import LabelFilter
from app.keys import key as noun
from app.keys import service
from app.keys.filters import InstantRange, KeyFilter, Order, position_of
from app.paging import Position
from app.tenancy.service import Access

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


@strawberry.input(description="Times between two instants, both left out; without one of them open on that side.")
class DateTimeRange:
    after: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only later times.")
    before: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only earlier times.")

    @classmethod
    def to_domain(cls, range: DateTimeRange | None) -> InstantRange:
        return InstantRange(unset_to_none(range.after), unset_to_none(range.before)) if range else InstantRange()


@strawberry.input(description="Every condition given must hold.")
class ApiKeyFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Part of the name, the beginning of the prefix, or the whole id; at most 200 characters. Of a whole secret only its\n"
            "prefix is looked at."
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
        default=strawberry.UNSET, description="Any of these: the key's state in the schedule of its environment."
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

    labels: list[LabelFilter] | None = strawberry.field(
        default=strawberry.UNSET, description="Labels that the key has, all of these; null or empty: any or none."
    )
    owner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of the user who is responsible for it, also if they have left the workspace."
    )

    def to_domain(self) -> KeyFilter:
        return KeyFilter(
            search=unset_to_none(self.search) or "",
            statuses=tuple(unset_to_none(self.status) or ()),
            environment=unset_to_none(self.environment),
            permission=unset_to_none(self.permission),
            rotation=tuple(unset_to_none(self.rotation) or ()),
            name=unset_to_none(self.name),
            environments=tuple(unset_to_none(self.environments) or ()),
            created_by=unset_to_none(self.created_by),
            never_used=unset_to_none(self.never_used),
            created_at=DateTimeRange.to_domain(unset_to_none(self.created_at)),
            last_used_at=DateTimeRange.to_domain(unset_to_none(self.last_used_at)),
            expires_at=DateTimeRange.to_domain(unset_to_none(self.expires_at)),
            labels=tuple(label.wanted for label in unset_to_none(self.labels) or ()),
            owner=unset_to_none(self.owner),
        )


@strawberry.input
class ApiKeyOrder:
    field: Order
    direction: OrderDirection = OrderDirection.ASC


async def api_keys(
    access: Access, args: ConnectionArgs, filter: ApiKeyFilter | None, order_by: ApiKeyOrder | None
) -> Connection[ApiKey]:
    """A page of a workspace's keys."""
    wanted = filter.to_domain() if filter else KeyFilter()
    order, descending = (order_by.field, order_by.direction is OrderDirection.DESC) if order_by else (Order.CREATED_AT, True)
    name = f"{access.workspace.id} apiKeys {order} {descending}"
    found = await service.page(access, args.of(name), wanted, order, descending=descending)
    known, now = catalogue.current(), access.now

    def position(key: noun.ApiKey) -> Position:
        return position_of(key, order, known, now)

    async def count() -> int:
        return await service.count(access, wanted)

    return page(name, found, node=lambda key: ApiKey.of(key, now), position=position, count=count)
