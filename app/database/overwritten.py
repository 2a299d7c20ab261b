"""Detects that something other than SQLite wrote into its file while it was open, as `cp copy.db keydesk.db` does.

The file stays the same one then, and its log is left to a database that it does not belong to. In WAL mode only checkpoints
write into the file, and the log's index says that one begins before it does, and how far it came (sqlite.org/walformat.html,
section 2.3). So a file whose time or size changed without a checkpoint was written by another program.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from pathlib import Path
from typing import Final

from app.errors import StartRefused

# The log's two salts, which differ after each of its restarts; the frames that checkpoints finished, and those they began.
_INDEX: Final = struct.Struct("=32x8s56xI28xI")


class Watch:
    """Watches one file from construction on. Close it after SQLite: a process that closes any descriptor of a file loses the locks
    that SQLite holds on it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._index = os.open(f"{path}-shm", os.O_RDONLY)
        self._written: tuple[int, int] | None = None
        self._checkpoints: bytes | None = None
        self.is_overwritten()

    def has_changed(self, found: os.stat_result) -> bool:
        """Whether the file differs from what `is_overwritten` saw last, because of a checkpoint or not."""
        return (found.st_mtime_ns, found.st_size) != self._written

    def is_overwritten(self) -> bool:
        """Whether the file was written to without a checkpoint since the last call. Never true while a checkpoint is
        running: then the next call reports it. A write in the same interval as a checkpoint or a restart of the log counts as
        theirs, so call this often."""
        before = self._seen_checkpoints()
        try:
            found = os.stat(self._path)  # noqa: PTH116  # as the engine does
        except OSError:
            return False
        if before is None or before != self._seen_checkpoints():
            return False
        if before == self._checkpoints and self.has_changed(found):
            return True
        self._written, self._checkpoints = (found.st_mtime_ns, found.st_size), before
        return False

    def close(self) -> None:
        os.close(self._index)

    def _seen_checkpoints(self) -> bytes | None:
        """Values that differ after each checkpoint and each restart of the log; None while a checkpoint is running or was left
        incomplete."""
        read = os.pread(self._index, _INDEX.size, 0)
        if len(read) < _INDEX.size:
            return None
        salts, finished, begun = _INDEX.unpack(read)
        return salts + read[-4:] if finished == begun else None


def mark(path: str) -> None:
    """Marks the file, so that the next process that opens it checks the whole file first."""
    with contextlib.suppress(OSError):
        _mark(path).touch(mode=0o600)


def check(path: str) -> None:
    """Checks a marked file: raises StartRefused unless SQLite finds it intact, and then removes the mark."""
    if not _mark(path).exists():
        return
    if Path(path).exists() and not _is_whole(path):
        raise StartRefused(
            f"{path} was overwritten while a server had it open, and does not fit the log beside it. Move it away with its -wal,"
            " -shm and -overwritten, and put a backup in its place: keydesk restore."
        )
    _mark(path).unlink(missing_ok=True)


def _is_whole(path: str) -> bool:
    """Opens it read-only: another connection would checkpoint its log when it is closed."""
    try:
        with contextlib.closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
    except sqlite3.Error:
        return False


def _mark(path: str) -> Path:
    return Path(f"{path}-overwritten")
