"""Temporary files in memory: each commit of a database waits for the disk, and no test is about a power failure.

Processes that are killed lose nothing of what they wrote, in memory as on a disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
# A run with two workers needs about a quarter of this.
NEEDED_BYTES = 4 * 2**30


def use_memory() -> None:
    """For this process and those that it starts, if there is enough memory and TMPDIR names no other place."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    if min(shutil.disk_usage(MEMORY).free, half) >= NEEDED_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
