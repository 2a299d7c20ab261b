"""The actor of a past change, as recorded at the time."""

from __future__ import annotations

import strawberry

from app.access.actor import ActorKind, ActorRef
from app.api.framework.authorization import ANYONE
from app.api.framework.decorators import object_type

strawberry.enum(ActorKind, name="ActorKind")


# Without an `id`: a client's cache by type and id would show one name for all changes, though names change.
@object_type("Who did something, as history remembers it: a value, which no cache may merge with another.", requires=ANYONE)
class Actor:
    kind: ActorKind
    actor_id: strawberry.ID | None = strawberry.field(
        description="The id of the user, the management key or the operator key; null for the operator and the system."
    )
    name: str = strawberry.field(description="The name they had then.")

    @classmethod
    def of(cls, ref: ActorRef) -> Actor:
        known = ref.kind in (ActorKind.USER, ActorKind.MANAGEMENT_KEY, ActorKind.OPERATOR_KEY)
        return cls(kind=ref.kind, actor_id=strawberry.ID(ref.id) if known else None, name=ref.name)
