"""How many connections a process may hold at once: bounded by its limit of open files, and known before it is reached."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Final

MOST: Final = 16_384
# The database, logs, the journal, pages' files, and what the interpreter opens.
RESERVED_FILES: Final = 256
# What was sent may wait so long for a client that reads none of it, and so many bytes of it in the kernel.
UNREAD_MILLISECONDS: Final = 30_000
UNREAD_BYTES: Final = 256 * 1024


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


def bound(listener: int) -> None:
    """Every connection this listening socket accepts is closed when its client has read nothing for UNREAD_MILLISECONDS."""
    with socket.socket(fileno=os.dup(listener)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; macOS, for development, is without
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
