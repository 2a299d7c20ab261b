"""Appends lines to a file that several processes write, and that must survive a power failure."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Appends lines and fsyncs; creates the file, with mode 0600, even if there is no line. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = not path.exists()
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    try:
        if lines:
            # One write, so that appends of processes do not interleave. If a crash truncated the last line, start a new one.
            text = (_newline_first(descriptor) + "".join(f"{line}\n" for line in lines)).encode()
            if os.write(descriptor, text) != len(text):
                # Readers skip a truncated line; the next round writes it again on its own line.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if made:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a new file survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newline_first(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""
