"""Completes the revocation journal from the database: lines that could not be written in time, and the lengths
of the audit chains. The other direction is `replay`."""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Final

from app import clock, database
from app.audit import checkpoints
from app.audit import service as audit
from app.audit import store as audit_store
from app.audit.checking import Ends
from app.journal.file import Journal
from app.journal.lines import ANCHOR, key_line, line_of, missing
from app.keys import store as key_store

_log = logging.getLogger("keydesk.journal")
_ANCHOR_EVERY: Final = clock.HOUR
_OVERLAP: Final = 10 * clock.MINUTE


async def anchor(book: Journal, chains: Container[str] | None = None) -> None:
    """Writes anchors of all audit chains (or of these) that are longer than the file says."""
    known, ends = await book.anchors(), await audit_store.ends()
    farther = {chain: end for chain, end in ends.items() if end[0] > known.get(chain, (0, b""))[0]}
    lines = [
        {"kind": ANCHOR, "chain": chain, "length": length, "head": head.hex()}
        for chain, (length, head) in farther.items()
        if chains is None or chain in chains
    ]
    if lines:
        await book.append(lines)


async def noted_ends(book: Journal) -> dict[str, Ends]:
    """The ends of the audit chains that are noted outside the database: in checkpoints, and the farthest in the journal. Raises
    OSError if the checkpoints cannot be read."""
    ends: dict[str, dict[int, bytes]] = (await checkpoints.current().contents()).ends
    for chain, (length, head) in (await book.anchors()).items():
        ends.setdefault(chain, {}).setdefault(length, head)
    return dict(ends)


async def begin_anew(book: Journal) -> None:
    """Voids what is noted of the audit chains: they are legitimately shorter, as the database is new or was restored."""
    await book.begin_anew()
    try:
        await checkpoints.current().begin_anew()
    except OSError as error:
        _log.error("the checkpoints of before cannot be voided: %s", error)


async def forget(book: Journal) -> None:
    """Voids all earlier lines of the journal, and what is noted of the audit chains. Raises OSError."""
    await book.forget()
    await begin_anew(book)


async def anchor_hourly(book: Journal) -> None:
    now = await database.now()
    if not 0 <= now - book.anchored_at < _ANCHOR_EVERY:
        await anchor(book)
        book.anchored_at = now


async def catch_up(book: Journal) -> int:
    """Adds lines that the file lacks from the database; returns how many. Reads only new lines of the file.

    A file that was cut, replaced or removed since the last time is `failing` until it is complete again.
    """
    try:
        known = await book.contents()
    except OSError as error:
        book.fail(error)
        return 0
    since = max(0, book.caught_up_to - _OVERLAP)
    revoked = await key_store.revoked_since(since)
    changes = [audit.access_change_of(entry) for entry in await audit_store.access_changes_since(since)]
    lines = [key_line(entry) for entry in revoked if entry[0] not in known.keys]
    lines += [line_of(entry) for entry in missing(changes, known.access_changes)]
    # Even with nothing to add, so that an unwritable file is detected before the next revocation.
    await book.append(lines)
    if book.failing is None:
        book.caught_up_to = max([book.caught_up_to, *(at for _, at, _ in revoked), *(entry.at for entry in changes)])
    return len(lines)
