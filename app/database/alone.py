"""Whether a server is the only one on an SQLite file: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving(path: Path) -> Iterator[bool]:
    """False where another server holds the lock of this database. Commands do not take it: they work beside a server.

    The lock is on a file of its own: to close SQLite's files here would free the locks that SQLite holds for this process.
    """
    descriptor = os.open(path.with_name(f"{path.name}-serving"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
