"""A disk filled by the write-ahead log: the log is checkpointed into the database, and counting continues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import KIND, PEPPER
from tests.support.processes import ROOT, without_settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's file")]
# A process in its own mount namespace, with a disk of a few megabytes.
ALONE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = ("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs")
TURNS, KEYS = 1_500, 50
FILL = f"""
import asyncio, json, os, subprocess, sys
from app import database, start
from app.database import hot_path
from app.errors import Unavailable
from app.settings import Settings
from app.usage.counters import CounterBatch

async def main():
    counted, failed = 0, []
    async with start.opened(Settings.load(os.environ), make=True):
        path = hot_path.open_for(database.engine())
        await path.open()
        await path.reserve()
        for turn in range({TURNS}):
            tally = CounterBatch()
            for number in range({KEYS}):
                tally.count(f"key_{{number}}", 0, "pdf.read", "VALID")
            try:
                await path.write(tally.upserts())
                counted += 1
            except Unavailable:
                failed.append(turn)
        await path.close()
        (held,) = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour")
    print(json.dumps({{"counted": counted, "failed": failed, "held": held["n"]}}))

subprocess.run({MOUNT!r} + (sys.argv[1],), check=True)
asyncio.run(main())
"""


def test_a_log_that_filled_the_disk_is_checkpointed_and_later_requests_are_counted(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([*ALONE, *MOUNT, str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount a small disk here")
    own = {
        "KEYDESK_DATABASE_URL": f"sqlite:///{disk}/keydesk.db",
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_REVOCATION_JOURNAL": str(tmp_path / "journal.jsonl"),
        "KEYDESK_DEV": "1",
    }
    command = [*ALONE, sys.executable, "-c", FILL, str(disk)]
    done = subprocess.run(command, cwd=ROOT, env=without_settings() | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["failed"], "the disk was never full"
    # Each time the disk was full one batch was lost, and none after it.
    assert not {turn + 1 for turn in result["failed"]} & set(result["failed"])
    assert result["counted"] == TURNS - len(result["failed"])
    assert result["held"] == result["counted"] * KEYS
