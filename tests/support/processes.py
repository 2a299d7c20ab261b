"""Real processes for promises that are about processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def python(source: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A Python process that sees the project, Keydesk's variables as given and no others."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        env=without_settings() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def without_settings() -> dict[str, str]:
    """This process's variables, Keydesk's left out."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}


def answer(process: subprocess.Popen[str], *, within: float = 60) -> str:
    """What it printed; fails with its errors if it did not end well."""
    out, err = process.communicate(timeout=within)
    assert process.returncode == 0, err
    return out
