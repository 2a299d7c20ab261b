"""How many processor cores Keydesk may use: those of this process's affinity, and of the limit of its container (cgroup v2)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LIMIT: Final = Path("/sys/fs/cgroup/cpu.max")
_processes = 1


def available() -> int:
    """At least 1."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(here, _limit(here)))


def share(processes: int) -> None:
    """From now on so many processes share the cores, this one among them."""
    global _processes
    _processes = processes


def background_threads() -> int:
    """The threads for work in the background that this process may start: one core stays free, if there is more than one."""
    return max(1, (available() - 1) // _processes)


def _limit(otherwise: int) -> int:
    """The limit in whole cores, rounded up."""
    try:
        quota, period = _LIMIT.read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # there is no such file, or the quota is `max`
        return otherwise
