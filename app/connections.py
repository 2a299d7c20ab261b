"""Limits the connections of a process to what its limit of open files allows, before that limit is reached."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Final

MOST: Final = 16_384
# Reserved for the database, logs, the journal, static files, and the interpreter.
RESERVED_FILES: Final = 256
# How long sent data may wait for a client that reads nothing, and how many bytes of it the kernel buffers.
UNREAD_MILLISECONDS: Final = 30_000
UNREAD_BYTES: Final = 256 * 1024


def most() -> int:
    """The connections this process accepts; further ones wait in the listening socket's queue until one ends."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(min(soft - RESERVED_FILES, MOST), 1)


def raise_limit() -> None:
    """Raises the soft limit as far as useful. It is often 1,024, for programs that use `select`; Keydesk does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + RESERVED_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def bound(listener: int) -> None:
    """Makes this listening socket close accepted connections whose client has read nothing for UNREAD_MILLISECONDS."""
    with socket.socket(fileno=os.dup(listener)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; macOS, for development, is without
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
