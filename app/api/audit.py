"""The audit log of a workspace."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry.scalars import JSON

from app.access.policy import Action
from app.api.actors import Actor
from app.api.framework.connection import Connection, Node, page
from app.api.framework.context import Context
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import object_type
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, unset_to_none
from app.api.keys import OrderDirection
from app.audit import service
from app.audit.entry import AUDIT_ENTRY_ID, Entry, EntryFilter
from app.tenancy.service import Access


@object_type("One change: who did what to which thing, from where.", requires=Action.READ_AUDIT)
class AuditEvent(Node):
    at: Instant
    actor: Actor
    action: str = strawberry.field(description="`key.created`, `member.removed`, …")
    target: strawberry.ID = strawberry.field(description="The id of the thing that was changed.")
    detail: JSON = strawberry.field(description="What the action changed, by name; never a secret.")
    address: str | None
    user_agent: str | None
    request_id: str | None
    workspace_id: strawberry.Private[str]

    @classmethod
    def of(cls, entry: Entry) -> AuditEvent:
        return cls(
            id=strawberry.ID(entry.id),
            at=Instant(entry.at),
            actor=Actor.of(entry.actor),
            action=entry.action,
            target=strawberry.ID(entry.target),
            detail=cast("JSON", entry.detail),
            address=entry.request.address or None,
            user_agent=entry.request.user_agent or None,
            request_id=entry.request.request_id or None,
            workspace_id=entry.chain,
        )


@strawberry.input(description="Every condition given must hold.")
class AuditEventFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Part of any text of the event: a name, an id, an address, the detail; at most 200 characters. ASCII letters match in\n"
            "either case."
        ),
    )
    actor: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only what this `actorId` did: a user or a management key."
    )
    target: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Only what was done to this thing.")
    action: str | None = strawberry.field(default=strawberry.UNSET, description="Only this, `key.revoked`; the whole word.")
    since: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only what was done then or later.")
    until: Instant | None = strawberry.field(default=strawberry.UNSET, description="Only what was done earlier.")

    def to_domain(self) -> EntryFilter:
        return EntryFilter(
            unset_to_none(self.target),
            unset_to_none(self.action),
            unset_to_none(self.actor),
            unset_to_none(self.since),
            unset_to_none(self.until),
            unset_to_none(self.search) or "",
        )


async def audit_events(
    context: Context, access: Access, args: ConnectionArgs, filter: AuditEventFilter | None, order: OrderDirection
) -> Connection[AuditEvent]:
    """A page of the log; its positions are those of the chain."""
    oldest, wanted = order is OrderDirection.ASC, filter.to_domain() if filter else EntryFilter()
    name = f"{access.workspace.id} auditEvents{' oldest' if oldest else ''}"
    found = await service.between(access, args.of(name), wanted, oldest_first=oldest)

    async def count() -> int:
        return await service.count(access, wanted)

    return page(name, found, node=AuditEvent.of, position=lambda entry: (entry.position,), count=count)


@found_by_id(AUDIT_ENTRY_ID)
async def _by_id(context: Context, entry_id: str) -> AuditEvent:
    return AuditEvent.of(await service.get(context.actor, entry_id))
