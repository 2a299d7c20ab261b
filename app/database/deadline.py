"""Deadlines for reads: the code that handles a request sets one, and both engines stop a statement that exceeds it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """All reads inside the block, outside transactions, share this time limit; after it they raise Unavailable."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def until() -> float | None:
    """The deadline by `time.monotonic`, or None."""
    return _until.get()


def left() -> float | None:
    """Seconds until the deadline, at least 0."""
    until = _until.get()
    return None if until is None else max(until - time.monotonic(), 0.0)
