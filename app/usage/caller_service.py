"""Reads the callers of keys, and folds old ones together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import TOLERATED
from app.errors import NotFound
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.key import ApiKey
from app.tenancy.service import Access
from app.usage import caller_store
from app.usage.caller import CALLER_ID, Caller, network_in

MOST_KEPT: Final = 200
# A search for callers: shorter texts would match nearly every program, and the ids are parameters of a statement.
SHORTEST_SEARCH: Final = 2
MOST_FOUND: Final = 500
_AT_ONCE: Final = 50


async def of_key(access: Access, key: ApiKey) -> list[Caller]:
    """A key's callers, newest first. Raises NotAllowed."""
    return (await of_keys(access, [key]))[key.id]


async def get(actor: Actor, caller_id: str) -> Caller:
    """Raises NotFound, also for a caller of another workspace's key; NotAllowed."""
    found = await caller_store.find(caller_id) if ids.is_a(CALLER_ID, caller_id) else None
    if found is None:
        raise NotFound("caller")
    try:
        await keys.get(actor, found.key_id, action=Action.READ_USAGE)
    except NotFound:
        raise NotFound("caller") from None
    return found


async def of_keys(access: Access, keys: Collection[ApiKey]) -> dict[str, list[Caller]]:
    """Callers of keys of the workspace, in one statement, newest first; every id is in the result. Raises NotAllowed."""
    access.require(Action.READ_USAGE, *keys)
    found = await caller_store.of_keys([key.id for key in keys])
    return {key.id: found.get(key.id, []) for key in keys}


async def with_callers(access: Access, filter: KeyFilter) -> KeyFilter:
    """The filter, whose search also finds keys by their callers: part of a program's name, a network, or an address in one."""
    text = filter.search.strip()
    if len(text) < SHORTEST_SEARCH or not access.may(Action.READ_USAGE):
        return filter
    found = await caller_store.keys_called_by(access.workspace.id, text.lower(), network_in(text) or text, MOST_FOUND)
    return replace(filter, found=tuple(found))


async def fold_old(now: int) -> int:
    """Folds together, for each key, all but the MOST_KEPT most recently seen callers; returns how many.

    For a job, in short transactions. A caller seen again meanwhile is left unchanged, and no request is lost.
    """
    folded = 0
    for key_id in await caller_store.crowded(MOST_KEPT):
        kept_apart = [caller for caller in (await caller_store.of_keys([key_id]))[key_id] if not caller.folded]
        for start in range(MOST_KEPT, len(kept_apart), _AT_ONCE):
            silent = kept_apart[start : start + _AT_ONCE]
            async with database.transaction():
                await caller_store.fold(key_id, silent)
            folded += len(silent)
    return folded


async def bring_back() -> None:
    """Uses stored while the clock was ahead were before now, but it is unknown when: they are set to now, so that later uses
    are stored again and no rotation waits for a distant time."""
    now = await database.now()
    if await caller_store.is_ahead(now + TOLERATED):
        async with database.transaction():
            await caller_store.bring_back(now, now + TOLERATED)
