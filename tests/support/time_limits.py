"""Longer time limits for verification in the processes of a test, because the test machine may be busy.

Tests in tests/faults check the limits themselves against real nodes.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from app.database import hot_path
from app.verification import batch

if TYPE_CHECKING:
    import pytest

SECONDS = 5.0
# Nobody waits for the end of these, so they may be longer.
SECONDS_UNTIL_EXIT = 30.0


def extend_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in _limits(SECONDS):
        monkeypatch.setattr(module, name, value)


def extend_until_exit() -> None:
    """For a process that a test starts."""
    for module, name, value in _limits(SECONDS_UNTIL_EXIT):
        setattr(module, name, value)


def _limits(seconds: float) -> tuple[tuple[ModuleType, str, object], ...]:
    return (
        (batch, "PATIENCE_SECONDS", seconds),
        (hot_path, "STATEMENT_TIMEOUT", f"{seconds:g}s"),
        (hot_path, "LOCK_TIMEOUT", f"{seconds:g}s"),
    )
