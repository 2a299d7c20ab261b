"""Which state of a thing somebody saw: a short text that differs whenever the thing does (as an ETag, RFC 9110 §8.8.3).

A form carries it, and the change compares it under its lock, so that nobody undoes what they never saw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from app.errors import Conflict


class Stale(Conflict):
    """The thing was changed since it was seen; nothing was written."""


def version_of(*values: object) -> str:
    """16 hexadecimal digits for plain values."""
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def version_of_all(ids: Iterable[str]) -> str:
    """Of which things there are, in any order, whatever becomes of each."""
    return version_of(*sorted(ids))


def require_same(seen: str | None, version: str) -> None:
    """Raises Stale unless this is what was seen; None: nobody says what they saw."""
    if seen is not None and seen != version:
        raise Stale("Somebody else changed this while you had it open. Nothing of yours was saved yet.")
