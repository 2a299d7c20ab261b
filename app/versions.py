"""Versions for optimistic locking: a short text that differs whenever the object does (like an ETag, RFC 9110 §8.8.3).

A form carries it, and the change compares it under its lock, so that no one overwrites a state they did not see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from app.errors import Conflict


class Stale(Conflict):
    """The object was changed since it was read; nothing was written."""


def version_of(*values: object) -> str:
    """16 hexadecimal digits of plain values."""
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def version_of_all(ids: Iterable[str]) -> str:
    """The version of a set of ids, in any order, regardless of the state of each object."""
    return version_of(*sorted(ids))


def require_same(expected: str | None, version: str) -> None:
    """Raises Stale unless this is the version the caller expects; None: no check."""
    if expected is not None and expected != version:
        raise Stale("Someone else changed this while you had it open. Your changes have not been saved yet.")
