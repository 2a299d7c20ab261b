"""The revocation journal: what was taken away once more, in a file outside the database, so that no restore brings it back.

One JSON line each. A revoked API key is `{"key": "key_…", "revokedAt": "…Z", "reason": "…"}`; everything else names its kind,
which is the audit log's action: `{"kind": "member.removed", "id": "usr_…", "chain": "wsp_…", "at": "…Z"}`. What is given back
(`key.resumed`, `member.joined`) is written as well: the line that comes later in the file wins. Lines are fsynced before the
change is answered.
Several processes append to the file; what one of them could not write, `reconcile.catch_up` adds later from the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app import runtime
from app.journal.lines import FORGOTTEN, RESTORED, Contents

_TAIL_BYTES: Final = 64
_log = logging.getLogger("keydesk.journal")


@dataclass(frozen=True, slots=True)
class _Place:
    """How far which file has been read, and the bytes before that."""

    file: tuple[int, int]
    offset: int
    tail: bytes


class Journal:
    """`failing` is why the file could not be written the last time, or is not whole; None while all is well.

    `caught_up_to` and `anchored_at`: how far `reconcile` has come. `asked`: the server that was last asked about all lines,
    and what it had never heard of among the newest ones.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing: str | None = None
        self.asked: tuple[str, frozenset[str]] | None = None
        self.caught_up_to = 0
        self.anchored_at = 0
        self._contents = Contents()
        self._place: _Place | None = None

    async def append(self, lines: list[dict[str, Any]]) -> None:
        """Written and fsynced when this returns. A failure is remembered, not raised: what was taken away stays taken away."""
        try:
            await asyncio.to_thread(_write, self.path, lines)
            self.failing = None
        except OSError as error:
            self.fail(error)

    async def forget(self) -> None:
        """From here on nothing that the file said before is replayed. Raises OSError: then it would be, at the next start."""
        await asyncio.to_thread(_write, self.path, [{"kind": FORGOTTEN}])

    async def anchors(self) -> dict[str, tuple[int, bytes]]:
        """The farthest length and head of each audit chain; none where the file cannot be read, which is told elsewhere."""
        try:
            return dict((await self.contents()).anchors)
        except OSError:
            return {}

    async def begin_anew(self) -> None:
        """The audit chains are shorter with good reason: the database is new, or was put back from a backup."""
        if await self.anchors():
            await self.append([{"kind": RESTORED}])

    async def contents(self) -> Contents:
        """All that the file says now. Raises OSError."""
        await asyncio.to_thread(self._look)
        return self._contents

    def _look(self) -> None:
        """Reads what is new, or everything when this is not the file that was read before."""
        before, forgotten = self._place, self._contents.forgotten
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
        place = self._place or _Place((about.st_dev, about.st_ino), 0, b"")
        new = bytearray()
        while part := os.pread(descriptor, 1 << 20, place.offset + len(new)):
            new += part
        # What has no end yet is being written, or was cut: it is looked at again when something follows it.
        whole = new[: new.rfind(b"\n") + 1]
        for line in bytes(whole).splitlines():
            self._contents.read(line)
        self._place = _Place(place.file, place.offset + len(whole), (place.tail + whole)[-_TAIL_BYTES:])

    def _lose(self) -> None:
        self.failing = f"{self.path}: it was cut, replaced or removed while it was in use"
        self._place, self._contents, self.caught_up_to = None, Contents(), 0
        _log.error("the revocation journal is completed from the database: %s", self.failing)

    def fail(self, error: OSError) -> None:
        """Remembers why the file could not be read or written."""
        self.failing = f"{self.path}: {error.strerror}"
        _log.error("the revocation journal cannot be written: %s", self.failing)


def read_all(path: Path) -> Contents:
    """All that a file says, read from its beginning; one that is not there says nothing."""
    contents = Contents()
    if path.exists():
        for line in path.read_bytes().splitlines():
            contents.read(line)
    return contents


def read(path: Path) -> dict[str, int]:
    """Key id → instant of revocation, of API keys."""
    return {key: at for key, (at, _) in read_all(path).keys.items()}


def _goes_on(descriptor: int, place: _Place) -> bool:
    """Whether the file still holds, before the place, what was read there."""
    about = os.fstat(descriptor)
    return (about.st_dev, about.st_ino) == place.file and (
        os.pread(descriptor, len(place.tail), place.offset - len(place.tail)) == place.tail
    )


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = not path.exists()
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    try:
        if lines:
            # One write: appends of several processes do not mix. A crash may have cut the last line short: begin a new one.
            text = (_newline_first(descriptor) + "".join(json.dumps(line) + "\n" for line in lines)).encode()
            if os.write(descriptor, text) != len(text):
                # What was cut off is passed over by readers; the next round writes all of it again, on a line of its own.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if made:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A file that was made is there after a loss of power as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newline_first(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""


def current() -> Journal:
    """The journal of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Journal)
