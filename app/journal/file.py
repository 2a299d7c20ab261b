"""The revocation journal: a second record of revocations in a file outside the database, so that no restore undoes them.

One JSON line each. A revoked API key is `{"key": "key_…", "revokedAt": "…Z", "reason": "…"}`; everything else names its kind,
which is the audit log's action: `{"kind": "member.removed", "id": "usr_…", "chain": "wsp_…", "at": "…Z"}`. Restored
access (`key.resumed`, `member.joined`) is written as well: the later line in the file wins. Lines are fsynced before the
response is sent.
Several processes append to the file; what one of them could not write, `reconcile.catch_up` adds later from the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app import runtime
from app.journal.appending import append_lines
from app.journal.lines import FORGOTTEN, RESTORED, Contents

_TAIL_BYTES: Final = 64
_log = logging.getLogger("keydesk.journal")


@dataclass(frozen=True, slots=True)
class _Position:
    """Which file was read, up to which offset, and the bytes before it."""

    file: tuple[int, int]
    offset: int
    tail: bytes


class Journal:
    """`failing` is why the last write failed or the file is incomplete; None otherwise.

    `caught_up_to` and `anchored_at`: the progress of `reconcile`. `checked`: the server last queried for all lines, and which
    of the newest ones it did not know.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing: str | None = None
        self.checked: tuple[str, frozenset[str]] | None = None
        self.caught_up_to = 0
        self.anchored_at = 0
        self._contents = Contents()
        self._position: _Position | None = None

    async def append(self, lines: list[dict[str, Any]]) -> None:
        """Writes and fsyncs. A failure is stored in `failing`, not raised: the revocation itself is committed and stays."""
        try:
            await asyncio.to_thread(append_lines, self.path, [json.dumps(line) for line in lines])
            self.failing = None
        except OSError as error:
            self.fail(error)

    async def forget(self) -> None:
        """Voids all earlier lines, so that they are not replayed. Raises OSError: then the next start would replay them."""
        await asyncio.to_thread(append_lines, self.path, [json.dumps({"kind": FORGOTTEN})])

    async def anchors(self) -> dict[str, tuple[int, bytes]]:
        """The farthest length and head of each audit chain; none if the file cannot be read, which other checks report."""
        try:
            return dict((await self.contents()).anchors)
        except OSError:
            return {}

    async def begin_anew(self) -> None:
        """Voids the anchors: the audit chains are legitimately shorter, as the database is new or was restored."""
        if await self.anchors():
            await self.append([{"kind": RESTORED}])

    async def contents(self) -> Contents:
        """The current contents of the file. Raises OSError."""
        await asyncio.to_thread(self._look)
        return self._contents

    def _look(self) -> None:
        """Reads new lines, or the whole file if it is not the one that was read before."""
        before, forgotten = self._position, self._contents.forgotten
        with contextlib.ExitStack() as stack:
            try:
                descriptor = os.open(self.path, os.O_RDONLY)
                stack.callback(os.close, descriptor)
            except FileNotFoundError:
                descriptor = None
            if before is not None and (descriptor is None or not _goes_on(descriptor, before)):
                self._lose()
            if descriptor is not None:
                self._read(descriptor)
        if self._contents.forgotten != forgotten:
            self.caught_up_to = 0

    def _read(self, descriptor: int) -> None:
        about = os.fstat(descriptor)
        position = self._position or _Position((about.st_dev, about.st_ino), 0, b"")
        new = bytearray()
        while part := os.pread(descriptor, 1 << 20, position.offset + len(new)):
            new += part
        # A line without an end is being written, or was truncated: it is read again once something follows it.
        whole = new[: new.rfind(b"\n") + 1]
        for line in bytes(whole).splitlines():
            self._contents.read(line)
        self._position = _Position(position.file, position.offset + len(whole), (position.tail + whole)[-_TAIL_BYTES:])

    def _lose(self) -> None:
        self.failing = f"{self.path}: it was cut, replaced or removed while it was in use"
        self._position, self._contents, self.caught_up_to = None, Contents(), 0
        _log.error("the revocation journal is completed from the database: %s", self.failing)

    def fail(self, error: OSError) -> None:
        """Stores why the file could not be read or written."""
        self.failing = f"{self.path}: {error.strerror}"
        _log.error("the revocation journal cannot be written: %s", self.failing)


def read_all(path: Path) -> Contents:
    """The contents of a file, read from its beginning; empty if it does not exist."""
    contents = Contents()
    if path.exists():
        for line in path.read_bytes().splitlines():
            contents.read(line)
    return contents


def read(path: Path) -> dict[str, int]:
    """Revoked API keys: key id → instant of revocation."""
    return {key: at for key, (at, _) in read_all(path).keys.items()}


def _goes_on(descriptor: int, position: _Position) -> bool:
    """Whether the bytes before the offset are still the ones that were read."""
    about = os.fstat(descriptor)
    return (about.st_dev, about.st_ino) == position.file and (
        os.pread(descriptor, len(position.tail), position.offset - len(position.tail)) == position.tail
    )


def current() -> Journal:
    """The journal of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Journal)
