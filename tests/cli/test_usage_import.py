"""`keydesk usage import`: its output, its progress, and `kill -9` while it counts."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app import database
from app.cli import usage
from app.clock import SECOND
from app.usage.log_file import LogFile
from tests.cli.conftest import Keydesk
from tests.conftest import KIND, Team, make_key
from tests.support.access_log import line, write
from tests.support.processes import ROOT
from tests.verification.conftest import counters

WITHIN_SECONDS = 120


async def log_of(team: Team, file: Path, requests: int) -> tuple[Path, dict[tuple[str, str, str], int]]:
    """A log of requests with three keys, and what it comes to."""
    made, now = [(await make_key(team, f"Key {number}")).key.id for number in range(3)], await database.now()
    lines, exact = [], dict[tuple[str, str, str], int]()
    for number in range(requests):
        status, key = (502, "FAILED") if number % 7 == 0 else (200, "SUCCEEDED"), made[number % 3]
        lines.append(line(key, now - (requests - number) // 100 * SECOND, status[0]))
        exact[key, "pdf.read", status[1]] = exact.get((key, "pdf.read", status[1]), 0) + 1
    return write(file, lines), exact


async def test_it_says_what_became_of_each_log(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    log, exact = await log_of(team, tmp_path / "keydesk.log", 30)
    write(log, ["?"], append=True)
    other, _ = await log_of(team, tmp_path / "other.log", 4)
    done = keydesk.run("usage", "import", "--nginx", str(log), str(other))
    assert (done.returncode, done.stderr) == (0, f"{log}:31: This is not a line in the format of examples/nginx.\n")
    assert done.stdout.splitlines() == [
        f"{log}: 31 lines: 30 counted (25 successful, 5 failed), 1 rejected.",
        f"{other}: 4 lines: 4 counted (3 successful, 1 failed).",
    ]
    assert exact.items() <= (await counters()).items()
    (first, second) = keydesk.json("usage", "import", "--nginx", str(log), str(other))
    assert (first["counted"], first["importedBefore"], second["counted"]) == (0, 31, 0)
    assert first["file"] == str(log) and first["faults"] == []


def test_what_cannot_be_imported_is_refused_in_one_line(keydesk: Keydesk, tmp_path: Path) -> None:
    log = write(tmp_path / "keydesk.log", [])
    missing = tmp_path / "missing.log"
    assert keydesk.refused("usage", "import", "--nginx", str(log), str(missing)) == f"{missing}: No such file or directory"
    assert keydesk.refused("usage", "import", "--nginx", str(tmp_path)) == f"{tmp_path}: Is a directory"
    assert "--nginx" in keydesk.refused("usage", "import", str(log), code=2)
    assert "LOG" in keydesk.refused("usage", "import", "--nginx", code=2)
    other = write(tmp_path / "other.log", ["GET / 200"])
    done = keydesk.run("usage", "import", "--nginx", str(other))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"{other} has no line in the format of examples/nginx.")


async def test_a_terminal_shows_the_progress(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    log, exact = await log_of(team, tmp_path / "keydesk.log", 30_000)
    ours, theirs = pty.openpty()
    command = keydesk.command("usage", "import", "--nginx", str(log))
    with subprocess.Popen(
        command, cwd=ROOT, env=keydesk.variables | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 10_000):
                shown += part
        except OSError:  # the other end is closed
            pass
        assert process.wait(WITHIN_SECONDS) == 0
    os.close(ours)
    percents = [int(found) for found in re.findall(rb"(\d+)%", shown)]
    assert b"keydesk.log" in shown and percents == sorted(percents)
    assert percents[-1] == 100 and any(0 < percent < 100 for percent in percents), shown
    assert await counters() == exact


async def test_where_there_is_no_terminal_a_long_import_prints_its_progress(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, exact = await log_of(team, tmp_path / "keydesk.log", 30_000)
    monkeypatch.setattr(usage, "LINE_SECONDS", 0)
    with contextlib.closing(LogFile(log)) as file:
        await usage._imported(file)
    shown = capsys.readouterr().err.splitlines()
    percents = [int(line.removeprefix(f"{log}: ").removesuffix("%")) for line in shown]
    assert len(percents) >= 5 and percents == sorted(percents) and percents[-1] == 100
    assert await counters() == exact


async def test_several_processes_that_import_one_log_at_once_count_each_request_once(
    keydesk: Keydesk, team: Team, tmp_path: Path
) -> None:
    log, exact = await log_of(team, tmp_path / "keydesk.log", 20_000)
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    keydesk.command("usage", "import", "--nginx", str(log), "--json"),
                    cwd=ROOT,
                    env=keydesk.variables,
                    stdout=subprocess.PIPE,
                )
            )
            for _ in range(3)
        ]
        told = [json.loads(process.communicate(timeout=WITHIN_SECONDS)[0])[0] for process in running]
    assert sum(each["counted"] for each in told) == 20_000
    assert [each["counted"] + each["importedBefore"] for each in told] == [20_000] * 3
    assert await counters() == exact


async def test_a_log_of_which_all_requests_are_rejected_is_not_called_another_format(
    keydesk: Keydesk, db: None, tmp_path: Path
) -> None:
    log = write(tmp_path / "keydesk.log", [line("key_" + "a" * 20, await database.now())])
    done = keydesk.run("usage", "import", "--nginx", str(log))
    assert (done.returncode, done.stderr) == (0, f"{log}:1: There is no such API key.\n")
    assert done.stdout == f"{log}: 1 line: 0 counted (0 successful, 0 failed), 1 rejected.\n"


@pytest.mark.slow
async def test_killed_at_any_moment_and_run_again_it_counts_each_request_once(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    log, exact = await log_of(team, tmp_path / "keydesk.log", 60_000)
    chance, killed = random.Random(KIND), 0
    for target in sorted(chance.sample(range(1, 11), 5)):
        with subprocess.Popen(
            keydesk.command("usage", "import", "--nginx", str(log)), cwd=ROOT, env=keydesk.variables, stdout=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + WITHIN_SECONDS
            while process.poll() is None and await _batches() < target:
                assert time.monotonic() < deadline, "it did not begin"
            time.sleep(chance.random() / 50)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    assert killed >= 3
    (last,) = keydesk.json("usage", "import", "--nginx", str(log))
    assert last["counted"] + last["importedBefore"] == 60_000
    assert await counters() == exact


async def _batches() -> int:
    (row,) = await database.fetch("SELECT COUNT(*) AS n FROM usage_batch")
    return int(row["n"])
