"""Time for a busy machine: verification in the test's own process, with more of it than services are asked to wait.

The limits themselves are held against real nodes, in tests/faults.
"""

from __future__ import annotations

import pytest

from app.database import hot
from app.verification import batch

SECONDS = 5.0


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PATIENCE_SECONDS", SECONDS)
    monkeypatch.setattr(hot, "STATEMENT_TIMEOUT", f"{SECONDS:g}s")
    monkeypatch.setattr(hot, "LOCK_TIMEOUT", f"{SECONDS:g}s")
