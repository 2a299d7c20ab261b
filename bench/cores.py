"""Who works on which core: the server alone on the first, the load (and PostgreSQL, another machine in earnest) on the second."""

from __future__ import annotations

import os
from typing import Final

SERVER: Final = 0
LOAD: Final = 1


def use(number: int) -> None:
    """This process and what it starts from now on. Without two cores, or on another system, it is left to the scheduler."""
    if hasattr(os, "sched_setaffinity"):
        there = sorted(os.sched_getaffinity(0)) if number == LOAD else list(range(os.cpu_count() or 1))
        if len(there) > 1:
            os.sched_setaffinity(0, {there[number]})
