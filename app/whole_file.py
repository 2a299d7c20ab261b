"""New files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written(target: Path) -> Iterator[Path]:
    """The temporary file, of mode 0600, that becomes the target at the end of the block. An existing file is never replaced.

    Raises FileExistsError and other OSErrors.
    """
    half = _begun(target)
    try:
        yield half
        _sync(half)
        os.link(half, target)
        _sync(target.parent)
    finally:
        half.unlink()


def _begun(target: Path) -> Path:
    """The temporary file next to the target; leftovers of killed runs are deleted."""
    if target.exists():
        raise FileExistsError(errno.EEXIST, "there is a file of this name already", str(target))
    for left in target.parent.glob(f".{glob.escape(target.name)}.*"):
        if left.suffix[1:].isdecimal() and not Path("/proc", left.suffix[1:]).exists() and Path("/proc").exists():
            left.unlink(missing_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    os.close(os.open(half, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
    return half


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
