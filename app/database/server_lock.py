"""A lock that ensures only one server uses an SQLite file; it is released when its process ends, however that happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock_for_server(path: Path) -> Iterator[str | None]:
    """None, or, where another server holds the lock of this database, its process: `process 123`. Commands do not take the lock:
    they can run next to a server.

    The lock is on a separate file: closing SQLite's files here would release the locks that SQLite holds for this process.
    """
    descriptor = os.open(path.with_name(f"{path.name}-serving"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield None if _is_locked(descriptor) else _holder(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return True


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 20, 0)
    return f"process {int(pid)}" if pid.isdigit() else "an unknown process"
