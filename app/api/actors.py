"""Who did something, as history remembers it."""

from __future__ import annotations

import strawberry

from app.access.actor import ActorKind, ActorRef

strawberry.enum(ActorKind, name="ActorKind")


# It has no `id`: a cache that stores objects by type and id would show one name for every change, though names change.
@strawberry.type(description="Who did something, as history remembers it: a value, which no cache may merge with another.")
class Actor:
    kind: ActorKind
    actor_id: strawberry.ID | None = strawberry.field(
        description="The id of the user or of the management key; null for the operator and the system."
    )
    name: str = strawberry.field(description="The name they had then.")

    @classmethod
    def of(cls, ref: ActorRef) -> Actor:
        known = ref.kind in (ActorKind.USER, ActorKind.MANAGEMENT_KEY)
        return cls(kind=ref.kind, actor_id=strawberry.ID(ref.id) if known else None, name=ref.name)
