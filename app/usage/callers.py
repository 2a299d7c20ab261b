"""Who uses a key: looking at it, and keeping it short."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import TOLERATED
from app.errors import NotFound
from app.keys import service as keys
from app.tenancy import service as tenancy
from app.usage import caller_store
from app.usage.caller import Caller

MOST_KEPT: Final = 200
_AT_ONCE: Final = 50


async def of_key(actor: Actor, key_id: str) -> list[Caller]:
    """One key's callers, newest first. Raises NotFound, NotAllowed."""
    await _require(actor, key_id)
    return (await of_keys([key_id]))[key_id]


async def get(actor: Actor, caller_id: str) -> Caller:
    """Raises NotFound, also for a caller of another workspace's key; NotAllowed."""
    found = await caller_store.find(caller_id) if ids.is_a(ids.CALLER, caller_id) else None
    if found is None:
        raise NotFound("caller")
    try:
        await _require(actor, found.key_id)
    except NotFound:
        raise NotFound("caller") from None
    return found


async def of_keys(key_ids: Collection[str]) -> dict[str, list[Caller]]:
    """Callers of keys that the caller has already been let into, in one statement; every id has an answer, newest first."""
    found = await caller_store.of_keys(key_ids)
    return {key_id: found.get(key_id, []) for key_id in key_ids}


async def fold_old(now: int) -> int:
    """Folds together, per key, the callers beyond the MOST_KEPT that were seen last; answers how many that were.

    For a job, in short transactions. One that is seen again meanwhile is left alone, and no request is lost.
    """
    folded = 0
    for key_id in await caller_store.crowded(MOST_KEPT):
        kept_apart = [caller for caller in (await of_keys([key_id]))[key_id] if not caller.folded]
        for start in range(MOST_KEPT, len(kept_apart), _AT_ONCE):
            silent = kept_apart[start : start + _AT_ONCE]
            async with database.transaction():
                await caller_store.fold(key_id, silent)
            folded += len(silent)
    return folded


async def bring_back() -> None:
    """Uses that were noted while the clock was ahead were before now, nobody knows when: they count as of now, so that later ones
    are noted again and no rotation waits for a time that is far off."""
    now = await database.now()
    if await caller_store.is_ahead(now + TOLERATED):
        async with database.transaction():
            await caller_store.bring_back(now, now + TOLERATED)


async def _require(actor: Actor, key_id: str) -> None:
    key = await keys.get(actor, key_id)
    await tenancy.reading(actor, None, Action.READ_USAGE, workspace_id=key.workspace_id)
