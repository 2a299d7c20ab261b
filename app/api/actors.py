"""Who did something, as history remembers it."""

from __future__ import annotations

import strawberry

from app.access.actor import ActorKind, ActorRef

strawberry.enum(ActorKind, name="ActorKind")


@strawberry.type(description="Who did something; the name is the one they had then.")
class Actor:
    kind: ActorKind
    id: strawberry.ID | None = strawberry.field(
        description="The id of the user or of the management key; null for the operator and the system."
    )
    name: str

    @classmethod
    def of(cls, ref: ActorRef) -> Actor:
        known = ref.kind in (ActorKind.USER, ActorKind.MANAGEMENT_KEY)
        return cls(kind=ref.kind, id=strawberry.ID(ref.id) if known else None, name=ref.name)
