"""An unreadable address is unknown, which fails every allow-list; so it is counted and, once a minute, logged."""

from __future__ import annotations

import logging
import re
import time
from typing import Final

from app import metrics

SAID_EVERY_SECONDS: Final = 60.0
_LONGEST: Final = 60
_log = logging.getLogger("keydesk.verification")
_said_at = float("-inf")


def note(entry: bytes) -> None:
    """Counts and logs an invalid entry of `X-Forwarded-For`."""
    global _said_at
    metrics.ADDRESSES_UNREADABLE.inc()
    if time.monotonic() - _said_at >= SAID_EVERY_SECONDS:
        _said_at = time.monotonic()
        _log.warning("X-Forwarded-For holds %r where an address belongs (digits as 9, letters as a): it is unknown", _shape(entry))


def _shape(entry: bytes) -> str:
    """The shape of the entry: enough to find the proxy that wrote it, without logging data of the client."""
    text = entry[:_LONGEST].decode("ascii", "replace").strip()
    return re.sub(r"[0-9]", "9", re.sub(r"[A-Za-z]", "a", text))
