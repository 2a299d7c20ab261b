"""How many connections a process may hold at once: bounded by its limit of open files, and known before it is reached."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

MOST: Final = 16_384
# The database, logs, the journal, pages' files, and what the interpreter opens.
RESERVED_FILES: Final = 256


def most() -> int:
    """The connections this process accepts; further ones wait in the listening socket's queue until one ends."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(min(soft - RESERVED_FILES, MOST), 1)


def raise_limit() -> None:
    """Raises the soft limit as far as it is of use. It is often 1,024, for programs that use `select`; this one does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + RESERVED_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
