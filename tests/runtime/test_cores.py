"""How many cores Keydesk may use: its affinity, or its container's limit if that is lower."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app import cores


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("3200000 100000", 8),
        ("", 8),
    ],
)
def test_cores_are_limited_by_affinity_and_by_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, expected: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit)
    monkeypatch.setattr(cores, "_LIMIT", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert cores.available() == expected


def test_without_a_container_the_affinity_is_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cores, "_LIMIT", tmp_path / "missing")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert cores.available() == 3


@pytest.mark.parametrize(("processes", "expected"), [(1, 7), (2, 3), (8, 1), (100, 1)])
def test_processes_share_the_threads_and_leave_one_core_free(
    monkeypatch: pytest.MonkeyPatch, processes: int, expected: int
) -> None:
    monkeypatch.setattr(cores, "available", lambda: 8)
    monkeypatch.setattr(cores, "_processes", 1)
    cores.share(processes)
    assert cores.background_threads() == expected
