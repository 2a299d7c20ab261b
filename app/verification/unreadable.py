"""An address that nobody can read is unknown, which shuts allow-lists; so it is counted and, once a minute, said in the log."""

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
    """That this stood in `X-Forwarded-For` in the place of an address."""
    global _said_at
    metrics.ADDRESSES_UNREADABLE.inc()
    if time.monotonic() - _said_at >= SAID_EVERY_SECONDS:
        _said_at = time.monotonic()
        _log.warning("X-Forwarded-For holds %r where an address belongs (digits as 9, letters as a): it is unknown", _shape(entry))


def _shape(entry: bytes) -> str:
    """What it looks like: enough to find the proxy that wrote it, whatever the client may have put there."""
    text = entry[:_LONGEST].decode("ascii", "replace").strip()
    return re.sub(r"[0-9]", "9", re.sub(r"[A-Za-z]", "a", text))
