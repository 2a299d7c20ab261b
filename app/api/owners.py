"""Owners of API keys."""

from __future__ import annotations

import strawberry

from app.access.policy import Action
from app.api.framework.decorators import object_type
from app.keys.key import Owner


# Without an `id`, as `Actor`: what it says of a user is about this key's workspace.
@object_type("The user who is responsible for a key.", requires=Action.READ_KEYS)
class ApiKeyOwner:
    user_id: strawberry.ID
    name: str
    is_member: bool = strawberry.field(description="False: they have left the workspace, and the key needs another owner.")

    @classmethod
    def of(cls, owner: Owner | None) -> ApiKeyOwner | None:
        return cls(user_id=strawberry.ID(owner.id), name=owner.name, is_member=owner.is_member) if owner else None
