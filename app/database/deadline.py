"""Until when reads may go on: what answers one request sets it, and both engines stop a statement that takes longer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever is read in here, outside transactions, has so long altogether; then it raises Unavailable."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def until() -> float | None:
    """By `time.monotonic`; None: there is no deadline."""
    return _until.get()


def left() -> float | None:
    """Seconds, at least 0."""
    until = _until.get()
    return None if until is None else max(until - time.monotonic(), 0.0)
