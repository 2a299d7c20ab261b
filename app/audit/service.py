"""Writing the audit log inside a change, reading it, and checking its chains."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from app import ids
from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import Action, OperatorAction
from app.audit import store
from app.audit.entry import Entry, EntryFilter, new_key
from app.errors import NotFound, Unavailable
from app.journal.lines import TAKEN, Taken, line_of
from app.peppers import service as peppers
from app.peppers.pepper import GoneOn
from app.tenancy import service as tenancy
from app.tenancy.service import SYSTEM_CHAIN, Change

# A length that a chain had, and its head then.
Anchor = tuple[int, bytes]
_PAGE = 500
_LONGEST_USER_AGENT = 400


def wrapped_key(chain: str) -> bytes:
    """A fresh key for a new chain, as it may be stored."""
    return peppers.current().wrap(new_key(), chain)


async def record(change: Change, action: str, target: str, **detail: Any) -> None:
    """Appends one entry to the change's chain, in the change's transaction: neither is there without the other."""
    head = await store.head(change.chain)
    entry = Entry(
        ids.new(ids.AUDIT_ENTRY),
        change.chain,
        head.length + 1,
        change.now,
        change.actor.ref,
        action,
        target,
        detail,
        _shortened(change.actor.request),
    )
    mac = entry.expected_mac(head.mac, peppers.current().unwrap(head.wrapped_key, change.chain))
    await store.add(replace(entry, mac=mac))
    await store.move_head(change.chain, entry.position, mac)
    if action in TAKEN:
        change.journal.append(line_of(taken_of(entry)))


def taken_of(entry: Entry) -> Taken:
    """An entry as the revocation journal knows it."""
    role = entry.detail.get("after") if entry.action == "member.role_changed" else None
    return Taken(entry.action, entry.target, entry.chain, entry.at, role)


async def times(change: Change, action: str, target: str) -> int:
    """How often this was done to this thing before; for rules that bound it."""
    return await store.times(change.chain, action, target)


async def last_changes(targets: Collection[str]) -> dict[str, int]:
    """When keys and workspaces that the caller has already been let into were last changed; without those that never were."""
    return await store.last_at(targets) if targets else {}


async def about(actor: Actor, slug: str, target: str, *, limit: int = 50) -> list[Entry]:
    """The newest entries about one thing of a workspace."""
    access = await tenancy.reading(actor, slug, Action.READ_AUDIT)
    return await store.newest(access.workspace.id, limit=limit, target=target)


async def page(actor: Actor, slug: str, *, limit: int, before: int | None = None) -> list[Entry]:
    """The newest entries of a workspace, those before a position."""
    access = await tenancy.reading(actor, slug, Action.READ_AUDIT)
    return await store.newest(access.workspace.id, limit=limit, before=before)


async def between(
    actor: Actor,
    slug: str,
    *,
    limit: int,
    below: int | None = None,
    above: int | None = None,
    filter: EntryFilter = EntryFilter(),
    oldest_first: bool = False,
) -> list[Entry]:
    """A workspace's entries between two positions that the filter leaves, from either end."""
    access = await tenancy.reading(actor, slug, Action.READ_AUDIT)
    return await store.between(access.workspace.id, filter, limit=limit, below=below, above=above, oldest_first=oldest_first)


async def get(actor: Actor, entry_id: str) -> Entry:
    """Raises NotFound, also for an entry of the system or of a workspace the actor does not belong to; NotAllowed."""
    entry = await store.find(entry_id)
    if entry is None or entry.chain == SYSTEM_CHAIN:
        raise NotFound("audit event")
    await tenancy.reading(actor, None, Action.READ_AUDIT, workspace_id=entry.chain)
    return entry


async def count(actor: Actor, slug: str, filter: EntryFilter = EntryFilter()) -> int:
    """How many entries of a workspace the filter leaves."""
    access = await tenancy.reading(actor, slug, Action.READ_AUDIT)
    return await store.count(access.workspace.id, filter)


async def checked(actor: Actor, anchors: Mapping[str, Anchor] | None = None) -> dict[str, int | None]:
    """Every chain with its `first_broken`, the system's first, and those of which only an anchor is left. Operator only."""
    policy.require_operator(actor, OperatorAction.CHECK_AUDIT_LOG)
    anchors = anchors or {}
    there = await store.chains()
    found = {chain: await first_broken(chain, anchors.get(chain)) for chain in there}
    return found | {chain: 1 for chain in anchors if chain not in found}


async def first_broken(chain: str, anchor: Anchor | None = None) -> int | None:
    """The position of the first entry that was edited, removed, inserted or moved, or cannot be read; None for a sound chain.

    `anchor`: a length that the chain once had and its head then, kept outside the database; an end that was cut off together
    with the head is noticed by it alone. Raises Unavailable; whatever else is wrong is the chain's own fault.

    What is written meanwhile is no fault: the head is read before the entries, so an end that is reached is the head's.
    """
    try:
        key = peppers.current().unwrap((await store.head(chain)).wrapped_key, chain)
    except GoneOn:
        return 1
    except Unavailable:
        raise
    except Exception:
        return 1
    length, anchored = anchor or (0, b"")
    position, mac = 0, b""
    while True:
        head = await store.head(chain)
        entries = await _readable(chain, position)
        for entry in entries:
            if entry.position != position + 1 or not _fits(entry, mac, key):
                return position + 1
            position, mac = entry.position, entry.mac
            if position == length and mac != anchored:
                return position
        if not entries:
            return None if (position, mac) == (head.length, head.mac) and position >= length else position + 1


async def _readable(chain: str, after: int) -> list[Entry]:
    """The next entries, up to one that the database itself cannot hand out; none if that is the next."""
    try:
        return await store.oldest(chain, limit=_PAGE, after=after)
    except Unavailable:
        raise
    except Exception:
        with contextlib.suppress(Exception):
            return await store.oldest(chain, limit=1, after=after)
        return []


def _fits(entry: Entry, previous: bytes, key: bytes) -> bool:
    """Whether the MAC is the entry's; a row that holds what no entry can hold has none."""
    try:
        return entry.mac == entry.expected_mac(previous, key)
    except (TypeError, ValueError, RecursionError):
        return False


async def rewrap_keys() -> None:
    """Hides every chain's key under the current pepper; called at start, inside a transaction."""
    known = peppers.current()
    for chain in await store.chains():
        wrapped = (await store.head(chain)).wrapped_key
        if not known.is_current(wrapped):
            await store.set_key(chain, known.wrap(known.unwrap(wrapped, chain), chain))


def _shortened(request: Request) -> Request:
    return Request(request.address, request.user_agent[:_LONGEST_USER_AGENT], request.request_id)
