"""Access as transports hold it: to a workspace, and to one that a key belongs to."""

from __future__ import annotations

from app.access.actor import Actor
from app.keys import service as keys
from app.keys.key import ApiKey
from app.tenancy import service as tenancy
from app.tenancy.service import Access, seen

__all__ = ["at", "seen"]


async def at(actor: Actor, key_id: str) -> tuple[Access, ApiKey]:
    """The key, and access to its workspace. Raises NotFound, NotAllowed."""
    key = await keys.get(actor, key_id)
    return await tenancy.seen(actor, None, workspace_id=key.workspace_id), key
