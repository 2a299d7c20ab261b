"""Ends the processes that a test started and did not end: a node that goes on does its jobs on the database of later tests."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

# Looking through all processes takes milliseconds, so it is done only when one was started since the last look.
_started = True
_known: set[psutil.Process] = set()


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    global _started
    if event == "subprocess.Popen":
        _started = True


sys.addaudithook(_audit)


def keep(pid: int) -> None:
    """Lets this process run to the end of the tests."""
    _known.add(psutil.Process(pid))


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Ends what a test leaves running, and fails it for a process that it started itself.

    Workers of a killed node end by themselves, but may do a job first. Processes of fixtures with a wider scope are left alone.
    """
    _known.update(_new())
    yield
    left, own = _new(), []
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.ppid() == os.getpid():
                own.append(" ".join(process.cmdline()[:4]))
            process.kill()
    psutil.wait_procs(left, timeout=10)
    assert not own, f"left running: {own}"


def _new() -> set[psutil.Process]:
    """Running processes that tests of this process started and that are not known yet; nothing below known ones."""
    global _started
    if not _started:
        return set()
    _started = False
    found: set[psutil.Process] = set()
    left = psutil.Process().children() + _orphans()
    while left:
        process = left.pop()
        with contextlib.suppress(psutil.NoSuchProcess):
            if process not in _known and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process)
                left += process.children()
    return found


def _orphans() -> list[psutil.Process]:
    """Those whose parent has ended, for example workers of a node that was killed. Each of several test processes finds its own."""
    own = {name: value for name in ("PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER") if (value := os.environ.get(name))}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if own and process.ppid() == 1 and own.items() <= process.environ().items():
                found.append(process)
    return found
