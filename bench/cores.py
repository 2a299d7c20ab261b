"""CPU affinity: the server gets the first core for itself; load and PostgreSQL (in production another machine) get the second."""

from __future__ import annotations

import os
from typing import Final

SERVER: Final = 0
LOAD: Final = 1


def pin_to(number: int) -> None:
    """Pins this process and its future children. Without two cores, or on another system, the scheduler decides."""
    if hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0)) if number == LOAD else list(range(os.cpu_count() or 1))
        if len(available) > 1:
            os.sched_setaffinity(0, {available[number]})
