"""Checks the chains of the audit log, and names the first entry that was tampered with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.audit import store
from app.audit.entry import Entry
from app.errors import Unavailable
from app.peppers import service as peppers
from app.peppers.pepper import PepperGone
from app.tenancy.store import Head

# Earlier lengths of a chain, each with its head at that length, as they were noted outside the database.
Ends = Mapping[int, bytes]
NO_KEY: Final = "the key of the chain cannot be read"
ALTERED: Final = "was changed, added or moved"
UNREADABLE: Final = "cannot be read"
MISSING: Final = "is missing"
BEYOND: Final = "lies beyond the length that the database records"
NOT_THE_HEAD: Final = "is not the last one that the database records"
NOT_AS_NOTED: Final = "is not the one that was noted outside the database"
NO_WORKSPACE: Final = "belongs to a workspace that is gone"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault of a chain: a position, the id of the entry there if there is one, and what is wrong with it."""

    position: int
    what: str
    entry_id: str | None = None

    def __str__(self) -> str:
        return f"entry {self.position}{f' ({self.entry_id})' if self.entry_id else ''}: {self.what}"


async def checked(actor: Actor, ends: Mapping[str, Ends] | None = None) -> dict[str, Fault | None]:
    """Every chain with its first fault, the system's first, including chains of which only entries or ends noted outside the
    database are left. Operator only."""
    policy.require_operator(actor, OperatorAction.CHECK_AUDIT_LOG)
    ends = ends or {}
    found = {chain: await find_fault(chain, ends.get(chain, {})) for chain in await store.chains()}
    lost = [*(chain for chain in ends if chain not in found), *await store.without_workspace()]
    return found | {chain: Fault(1, NO_WORKSPACE) for chain in lost}


async def first_broken(chain: str, ends: Ends | None = None) -> int | None:
    """The position of `find_fault`."""
    fault = await find_fault(chain, ends or {})
    return None if fault is None else fault.position


async def find_fault(chain: str, ends: Ends) -> Fault | None:
    """The first entry that was edited, removed, inserted or moved, or cannot be read; None for a sound chain.

    `ends`: only they reveal an end that was cut off together with the head. Raises Unavailable; any other error is a fault of the
    chain. Entries written meanwhile are no fault: the head is read before the entries, so reading stops at that head.
    """
    try:
        key = peppers.current().unwrap((await store.head(chain)).wrapped_key, chain)
    except PepperGone:
        return Fault(1, NO_KEY)
    except Unavailable:
        raise
    except Exception:
        return Fault(1, NO_KEY)
    if (early := await store.before_first(chain)) is not None:
        return Fault(early, ALTERED)
    position, mac, last = 0, b"", None
    while True:
        head = await store.head(chain)
        entries = await _readable(chain, position)
        for entry in entries:
            if (fault := _fault(entry, position, mac, key, ends)) is not None:
                return fault
            position, mac, last = entry.position, entry.mac, entry.id
        if not entries:
            return await _fault_at_end(chain, head, Fault(position, NOT_THE_HEAD, last), mac, ends)


def _fault(entry: Entry, after: int, previous: bytes, key: bytes, ends: Ends) -> Fault | None:
    """What is wrong with an entry, which must be the next one after a position."""
    if not isinstance(entry.position, int) or entry.position > after + 1:
        return Fault(after + 1, MISSING)
    if not _fits(entry, previous, key):
        return Fault(entry.position, ALTERED, entry.id)
    noted = ends.get(entry.position)
    return Fault(entry.position, NOT_AS_NOTED, entry.id) if noted not in (None, entry.mac) else None


async def _fault_at_end(chain: str, head: Head, last: Fault, mac: bytes, ends: Ends) -> Fault | None:
    """What is wrong with the end of a chain, where nothing more can be read."""
    if max(head.length, *ends, 0) > last.position:
        there = await store.has_after(chain, last.position)
        return Fault(last.position + 1, UNREADABLE if there else MISSING)
    if head.length < last.position:
        return Fault(head.length + 1, BEYOND)
    return last if mac != head.mac else None


async def _readable(chain: str, after: int) -> list[Entry]:
    """The next entries, up to one that the database cannot read; empty if that is the next."""
    try:
        return await store.oldest(chain, limit=_PAGE, after=after)
    except Unavailable:
        raise
    except Exception:
        with contextlib.suppress(Exception):
            return await store.oldest(chain, limit=1, after=after)
        return []


def _fits(entry: Entry, previous: bytes, key: bytes) -> bool:
    """Whether the MAC matches the entry; False for a row with values that no entry can have."""
    try:
        return entry.mac == entry.expected_mac(previous, key)
    except (TypeError, ValueError, RecursionError):
        return False
