"""Starts real processes, for tests of guarantees across processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def python(source: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A Python process that can import the project, with only the given Keydesk variables."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        env=without_settings() | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def without_settings() -> dict[str, str]:
    """This process's environment variables without Keydesk's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}


def answer(process: subprocess.Popen[str], *, within: float = 60) -> str:
    """Returns its output; fails with its stderr if it did not exit with 0."""
    out, err = process.communicate(timeout=within)
    assert process.returncode == 0, err
    return out
