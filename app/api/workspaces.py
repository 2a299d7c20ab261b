"""Workspaces: the type with its pages of keys, members and the rest."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import strawberry

from app import catalogue
from app.access.actor import Actor, ActorKind, Role
from app.api import audit, keys, management, people, rotations
from app.api.catalogue import Plan
from app.api.connection import Connection, Node
from app.api.context import Info
from app.api.cursors import Cut
from app.api.resolving import field, paged
from app.api.scalars import Instant, LocalTime, TimeZone, given, instant
from app.api.usage import Usage
from app.audit.entry import EntryFilter
from app.tenancy import workspace as noun
from app.tenancy.service import Access
from app.usage import service as usages
from app.usage.usage import Granularity


@strawberry.enum
class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


@strawberry.type(description="When people are at work, in the workspace's time zone.")
class BusinessHours:
    days: list[Weekday]
    opens: LocalTime
    closes: LocalTime

    @classmethod
    def of(cls, hours: noun.BusinessHours) -> BusinessHours:
        return cls(days=[Weekday(day) for day in hours.days], opens=LocalTime(hours.opens), closes=LocalTime(hours.closes))


@strawberry.type(description="How many keys the plan allows. Keys that are neither revoked nor expired count.")
class ApiKeyLimit:
    limit: int | None = strawberry.field(description="Null: unlimited.")
    used: int = strawberry.field(
        description="Of the two keys of an open rotation one counts, until a deadline passes that keeps both. May exceed the limit."
    )
    rotating: int = strawberry.field(description="Open rotations.")
    remaining: int | None = strawberry.field(description="Null: unlimited. Never below 0, also after going down to a smaller plan.")


@strawberry.type(description="A team, with its keys, members and plan.")
class Workspace(Node):
    name: str
    slug: str = strawberry.field(description="Its name in addresses and inputs.")
    viewer_role: Role | None = strawberry.field(description="The caller's role here; null for a management key.")
    plan: Plan
    timezone: TimeZone
    business_hours: BusinessHours | None
    created_at: Instant
    suspended_at: Instant | None = strawberry.field(
        description="Since when the operator has suspended it: then none of its keys is accepted."
    )
    revision: str = strawberry.field(
        description="Another whenever what `updateWorkspace` changes is another; what its `expectedRevision` takes."
    )
    place: strawberry.Private[noun.Workspace]

    @classmethod
    def of(cls, access: Access, actor: Actor) -> Workspace:
        place = access.workspace
        return cls(
            id=strawberry.ID(place.id),
            name=place.name,
            slug=place.slug,
            viewer_role=access.role if actor.kind is ActorKind.USER else None,
            plan=Plan.of(catalogue.current().plan(place.plan)),
            timezone=TimeZone(place.timezone),
            business_hours=BusinessHours.of(place.business_hours) if place.business_hours else None,
            created_at=Instant(place.created_at),
            suspended_at=instant(place.suspended_at),
            revision=place.version,
            place=place,
        )

    @field("When its settings or its plan were last changed, or it was suspended or resumed, else made.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.id, self.created_at))

    @strawberry.field
    async def api_key_limit(self, info: Info) -> ApiKeyLimit:
        meter = await info.context.workspaces.meter(self.place, await info.context.now())
        return ApiKeyLimit(limit=meter.limit, used=meter.used, rotating=meter.rotating, remaining=meter.remaining)

    @field("Requests with all its keys together; the span is given as for `ApiKey.usage`.")
    async def usage(
        self,
        info: Info,
        since: Instant | None = strawberry.UNSET,
        until: Instant | None = strawberry.UNSET,
        granularity: Granularity = Granularity.DAY,
    ) -> Usage | None:
        actor = info.context.actor
        found = await usages.of_workspace(actor, self.slug, given(since), given(until), granularity)
        return Usage.of(found, instant(await usages.last_used(actor, self.slug)))

    @paged()
    async def api_keys(
        self,
        info: Info,
        cut: Cut,
        filter: keys.ApiKeyFilter | None = strawberry.UNSET,
        order_by: Annotated[
            keys.ApiKeyOrder | None, strawberry.argument(description="Left out: the newest first.")
        ] = strawberry.UNSET,
    ) -> Connection[keys.ApiKey] | None:
        return await keys.api_keys(info.context, self.place, cut, given(filter), given(order_by))

    @paged("The newest first.")
    async def rotations(
        self,
        info: Info,
        cut: Cut,
        open_only: Annotated[bool, strawberry.argument(description="Leave out those that are over.")] = False,
    ) -> Connection[rotations.Rotation] | None:
        return await rotations.rotations(info.context, self.place, cut, open_only=open_only)

    @paged("The longest-standing first.")
    async def members(self, info: Info, cut: Cut) -> Connection[people.Member] | None:
        return await people.members(info.context, self.place, cut)

    @paged("The open ones, the oldest first.")
    async def invitations(self, info: Info, cut: Cut) -> Connection[people.Invitation] | None:
        return await people.invitations(info.context, self.place, cut)

    @paged("For owners only. The newest first.")
    async def management_keys(self, info: Info, cut: Cut) -> Connection[management.ManagementKey] | None:
        return await management.management_keys(info.context, self.place, cut)

    @paged("Every change, the newest first, or the oldest first for who reads on from where they were.")
    async def audit_events(
        self,
        info: Info,
        cut: Cut,
        target: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only what was done to this thing.")
        ] = strawberry.UNSET,
        action: Annotated[
            str | None, strawberry.argument(description="Only this, `key.revoked`; the whole word.")
        ] = strawberry.UNSET,
        actor: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only what this `actorId` did: a user or a management key.")
        ] = strawberry.UNSET,
        since: Annotated[Instant | None, strawberry.argument(description="Only what was done then or later.")] = strawberry.UNSET,
        until: Annotated[Instant | None, strawberry.argument(description="Only what was done earlier.")] = strawberry.UNSET,
        order: Annotated[
            keys.OrderDirection, strawberry.argument(description="DESC: the newest first. ASC: the oldest first.")
        ] = keys.OrderDirection.DESC,
    ) -> Connection[audit.AuditEvent] | None:
        wanted = EntryFilter(given(target), given(action), given(actor), given(since), given(until))
        return await audit.audit_events(info.context, self.place, cut, wanted, order)
