"""Completes the revocation journal from the database: lines that could not be written when they should have been, and how long
the audit chains are. The other direction is `replay`."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from app import clock, database
from app.audit import service as audit
from app.audit import store as audit_store
from app.journal.file import Journal
from app.journal.lines import ANCHOR, key_line, lacking, line_of
from app.keys import store as key_store

_ANCHOR_EVERY: Final = clock.HOUR
_OVERLAP: Final = 10 * clock.MINUTE


async def anchor(book: Journal, chains: Container[str] | None = None) -> None:
    """Writes down how long the audit chains are now (or those of them), where that is farther than the file knows."""
    known, ends = await book.anchors(), await audit_store.ends()
    farther = {chain: end for chain, end in ends.items() if end[0] > known.get(chain, (0, b""))[0]}
    lines = [
        {"kind": ANCHOR, "chain": chain, "length": length, "head": head.hex()}
        for chain, (length, head) in farther.items()
        if chains is None or chain in chains
    ]
    if lines:
        await book.append(lines)


async def anchor_hourly(book: Journal) -> None:
    now = await database.now()
    if not 0 <= now - book.anchored_at < _ANCHOR_EVERY:
        await anchor(book)
        book.anchored_at = now


async def catch_up(book: Journal) -> int:
    """Adds what the file lacks of the database's; answers how many lines that were. Reads only what is new in the file.

    A file that was cut, replaced or removed since the last time is `failing` until it is whole again.
    """
    try:
        known = await book.contents()
    except OSError as error:
        book.fail(error)
        return 0
    since = max(0, book.caught_up_to - _OVERLAP)
    revoked = await key_store.revoked_since(since)
    taken = [audit.taken_of(entry) for entry in await audit_store.taken_since(since)]
    lines = [key_line(entry) for entry in revoked if entry[0] not in known.keys]
    lines += [line_of(entry) for entry in lacking(taken, known.taken)]
    # Also with nothing to add: a file that cannot be written is found before the revocation that needs it.
    await book.append(lines)
    if book.failing is None:
        book.caught_up_to = max([book.caught_up_to, *(at for _, at, _ in revoked), *(entry.at for entry in taken)])
    return len(lines)
