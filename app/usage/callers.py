"""Reading who uses a key."""

from __future__ import annotations

from collections.abc import Collection

from app.access.actor import Actor
from app.access.policy import Action
from app.keys import service as keys
from app.usage import caller_store
from app.usage.caller import Caller
from app.workspaces import service as workspaces


async def of_key(actor: Actor, key_id: str) -> list[Caller]:
    """One key's callers, newest first. Raises NotFound, NotAllowed."""
    key = await keys.get(actor, key_id)
    await workspaces.reading(actor, None, Action.READ_USAGE, workspace_id=key.workspace_id)
    return (await of_keys([key.id]))[key.id]


async def of_keys(key_ids: Collection[str]) -> dict[str, list[Caller]]:
    """Callers of keys that the caller has already been let into, in one statement; every id has an answer, newest first."""
    found: dict[str, list[Caller]] = {key_id: [] for key_id in key_ids}
    for caller in await caller_store.of_keys(found):
        found[caller.key_id].append(caller)
    return found
