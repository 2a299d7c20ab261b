"""The audit log of a workspace, as its members read it."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry.scalars import JSON

from app.api.actors import Actor
from app.api.connection import Connection, Node, page, read
from app.api.context import Context
from app.api.cursors import Cut
from app.api.keys import OrderDirection
from app.api.scalars import Instant
from app.audit import service
from app.audit.entry import Entry, EntryFilter
from app.tenancy.workspace import Workspace


@strawberry.type(description="One change: who did what to which thing, from where.")
class AuditEvent(Node):
    at: Instant
    actor: Actor
    action: str = strawberry.field(description="`key.created`, `member.removed`, …")
    target: strawberry.ID = strawberry.field(description="The id of the thing that was changed.")
    detail: JSON = strawberry.field(description="What the action changed, by name; never a secret.")
    address: str | None
    user_agent: str | None
    request_id: str | None

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
        )


async def audit_events(
    context: Context, workspace: Workspace, cut: Cut, filter: EntryFilter, order: OrderDirection
) -> Connection[AuditEvent]:
    """A page of the log; its positions are those of the chain."""
    oldest = order is OrderDirection.ASC
    window = cut.of(f"{workspace.id} auditEvents {filter.target}{' oldest' if oldest else ''}")
    after, before = (place[0] if place else None for place in (window.after, window.before))
    rows = await service.between(
        context.actor,
        workspace.slug,
        limit=window.limit + 1,
        below=before if oldest else after,
        above=after if oldest else before,
        filter=filter,
        oldest_first=oldest is not window.backwards,
    )

    async def count() -> int:
        return await service.count(context.actor, workspace.slug, filter)

    return page(window, read(window, rows), node=AuditEvent.of, position=lambda entry: (entry.position,), count=count)
