"""Workspaces: the type with its pages of keys, members and other objects."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Protocol

import strawberry

from app import catalogue
from app.access.actor import ActorKind, Role
from app.access.policy import Action
from app.api import alerts as alert_lists
from app.api import audit, keys, management_keys, members, rotations, webhooks
from app.api.alerts import Alert, AlertFilter
from app.api.callers import Caller
from app.api.catalogue import Plan
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import ID, Connection, Node
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import attribute, extend, field, object_type, paged
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, LocalTime, TimeZone, instant, unset_to_none
from app.api.key_types import ApiKey, Rotation
from app.api.management_keys import ManagementKey
from app.api.members import Invitation, Member
from app.api.request_log import Request
from app.api.usage import Usage
from app.api.webhooks import Webhook, WebhookDelivery
from app.keys import service as key_service
from app.tenancy import service as tenancy
from app.tenancy import workspace as noun
from app.tenancy.service import Access
from app.tenancy.workspace import WORKSPACE_ID
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


@object_type("When people are at work, in the workspace's time zone.", requires=Action.READ_WORKSPACE)
class BusinessHours:
    days: list[Weekday]
    opens: LocalTime
    closes: LocalTime

    @classmethod
    def of(cls, hours: noun.BusinessHours) -> BusinessHours:
        return cls(days=[Weekday(day) for day in hours.days], opens=LocalTime(hours.opens), closes=LocalTime(hours.closes))


@object_type("How many keys the plan allows. Keys that are neither revoked nor expired count.", requires=Action.READ_WORKSPACE)
class ApiKeyLimit:
    limit: int | None = strawberry.field(description="Null: unlimited.")
    used: int = strawberry.field(
        description="Of the two keys of an open rotation one counts, until a deadline passes that keeps both. May exceed the limit."
    )
    rotating: int = strawberry.field(description="Open rotations.")
    remaining: int | None = strawberry.field(description="Null: unlimited. Never below 0, also after going down to a smaller plan.")


@object_type("A key whose secret was found.", requires=Action.READ_KEYS)
class LeakedApiKey:
    sha256: str = strawberry.field(description="The digest that was asked about.")
    api_key: ApiKey = strawberry.field(description="The key with that secret.")


@object_type("A team, with its keys, members and plan.", requires=Action.READ_WORKSPACE)
class Workspace(Node):
    # The fields that every caller may read of their own workspace or that of a key.
    id: strawberry.ID = attribute(ID, requires=ANYONE)
    name: str = attribute(requires=ANYONE)
    slug: str = attribute("Its name in addresses and inputs.", requires=ANYONE)
    viewer_role: Role | None = attribute("The caller's role here; null for a management key.", requires=ANYONE)
    plan: Plan
    timezone: TimeZone
    business_hours: BusinessHours | None
    logs_requests: bool = strawberry.field(description="Whether the requests of its keys are logged one by one: `ApiKey.requests`.")
    created_at: Instant
    suspended_at: Instant | None = strawberry.field(
        description="Since when the operator has suspended it: then none of its keys is accepted."
    )
    deleted_at: Instant | None = strawberry.field(
        description="When it was deleted: then only an operator key finds it, in `workspaces`. Null: it is not."
    )
    revision: str = strawberry.field(
        description="Another whenever what `updateWorkspace` changes is another; what its `expectedRevision` takes."
    )
    access: strawberry.Private[Access]

    @classmethod
    def of(cls, access: Access) -> Workspace:
        workspace = access.workspace
        return cls(
            id=strawberry.ID(workspace.id),
            name=workspace.name,
            slug=workspace.slug,
            viewer_role=access.role if access.actor.kind is ActorKind.USER else None,
            plan=Plan.of(catalogue.current().plan(workspace.plan)),
            timezone=TimeZone(workspace.timezone),
            business_hours=BusinessHours.of(workspace.business_hours) if workspace.business_hours else None,
            logs_requests=workspace.logs_requests,
            created_at=Instant(workspace.created_at),
            suspended_at=instant(workspace.suspended_at),
            deleted_at=instant(workspace.deleted_at),
            revision=workspace.version,
            access=access,
        )

    @field("When its settings or its plan were last changed, or it was suspended or resumed, else made.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.id, self.id, self.created_at))

    @strawberry.field
    async def api_key_limit(self, info: Info) -> ApiKeyLimit:
        meter = await info.context.workspaces.meter(self.access)
        return ApiKeyLimit(limit=meter.limit, used=meter.used, rotating=meter.rotating, remaining=meter.remaining)

    @field("Requests with all its keys together; the span is given as for `ApiKey.usage`.", requires=Action.READ_USAGE)
    async def usage(
        self,
        info: Info,
        since: Instant | None = strawberry.UNSET,
        until: Instant | None = strawberry.UNSET,
        granularity: Granularity = Granularity.DAY,
    ) -> Usage | None:
        span = (unset_to_none(since), unset_to_none(until), granularity)
        found = await usages.of_workspace(self.access, *span)
        last_used_at = instant(await usages.last_used(self.access))
        return Usage.of(found, last_used_at, lambda: usages.callers_of_workspace(self.access, *span))

    @paged(requires=Action.READ_KEYS)
    async def api_keys(
        self,
        info: Info,
        args: ConnectionArgs,
        filter: keys.ApiKeyFilter | None = strawberry.UNSET,
        order_by: Annotated[
            keys.ApiKeyOrder | None, strawberry.argument(description="Left out: the newest first.")
        ] = strawberry.UNSET,
    ) -> Connection[ApiKey] | None:
        return await keys.api_keys(self.access, args, unset_to_none(filter), unset_to_none(order_by))

    @field(
        "The keys whose secrets were found somewhere, by the SHA-256 of each, so that a scanner need not send a secret to ask\n"
        "whether it is live. Digests of no key here are left out, and those of keys from before digests were kept.",
        requires=Action.READ_KEYS,
    )
    async def leaked_api_keys(
        self,
        info: Info,
        sha256: Annotated[list[str], strawberry.argument(description="At most 100, in hexadecimal, lower case.")],
    ) -> list[LeakedApiKey] | None:
        found, now = await key_service.find_leaked(self.access, sha256), await info.context.now()
        return [LeakedApiKey(sha256=digest, api_key=ApiKey.of(key, now)) for digest, key in found.items()]

    @paged("The newest first.", requires=Action.READ_ROTATIONS)
    async def rotations(
        self,
        info: Info,
        args: ConnectionArgs,
        open_only: Annotated[bool, strawberry.argument(description="Leave out those that are over.")] = False,
    ) -> Connection[Rotation] | None:
        return await rotations.rotations(info.context, self.access, args, open_only=open_only)

    @paged("The newest first.", requires=Action.READ_KEYS)
    async def alerts(
        self, info: Info, args: ConnectionArgs, filter: AlertFilter | None = strawberry.UNSET
    ) -> Connection[Alert] | None:
        return await alert_lists.alerts(info.context, self.access, args, unset_to_none(filter))

    @paged("The longest-standing first.", requires=Action.READ_MEMBERS)
    async def members(self, info: Info, args: ConnectionArgs) -> Connection[Member] | None:
        return await members.members(info.context, self.access, args)

    @paged("The open ones, the oldest first.", requires=Action.READ_MEMBERS)
    async def invitations(self, info: Info, args: ConnectionArgs) -> Connection[Invitation] | None:
        return await members.invitations(info.context, self.access, args)

    @paged("For owners only. The newest first.", requires=Action.READ_MANAGEMENT_KEYS)
    async def management_keys(self, info: Info, args: ConnectionArgs) -> Connection[ManagementKey] | None:
        return await management_keys.management_keys(info.context, self.access, args)

    @field("For owners only. The oldest first, at most 10.", requires=Action.READ_WEBHOOKS)
    async def webhooks(self) -> list[Webhook] | None:
        return await webhooks.webhooks(self.access)

    @paged("Every change, the newest first, or the oldest first to continue from a cursor.", requires=Action.READ_AUDIT)
    async def audit_events(
        self,
        info: Info,
        args: ConnectionArgs,
        filter: audit.AuditEventFilter | None = strawberry.UNSET,
        order: Annotated[
            keys.OrderDirection, strawberry.argument(description="DESC: the newest first. ASC: the oldest first.")
        ] = keys.OrderDirection.DESC,
    ) -> Connection[audit.AuditEvent] | None:
        return await audit.audit_events(info.context, self.access, args, unset_to_none(filter), order)


class _InWorkspace(Protocol):
    workspace_id: str


@extend(
    ApiKey, Rotation, ManagementKey, Webhook, WebhookDelivery, Alert, Request, Member, Invitation, audit.AuditEvent,
    name="workspace",
    description="Where it belongs. Null, with an entry in `errors`, once the caller no longer belongs there.",
    requires=ANYONE,
)  # fmt: skip
async def _workspace_of(self: _InWorkspace, info: Info) -> Workspace | None:
    return await _workspace(info, self.workspace_id)


@extend(
    Caller,
    name="workspace",
    description="That of its key. Null, with an entry in `errors`, once the caller no longer belongs there.",
    requires=ANYONE,
)
async def _workspace_of_key(self: Caller, info: Info) -> Workspace | None:
    return await _workspace(info, (await info.context.keys.itself(self.key_id)).workspace_id)


async def _workspace(info: Info, workspace_id: str) -> Workspace:
    return Workspace.of(await info.context.workspaces.load(workspace_id))


@found_by_id(WORKSPACE_ID)
async def _by_id(context: Context, workspace_id: str) -> Workspace:
    return Workspace.of(await tenancy.seen(context.actor, None, workspace_id=workspace_id))
