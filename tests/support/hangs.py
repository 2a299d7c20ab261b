"""Reports of tests that reached the time limit name what each task of asyncio was waiting for."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and str(call.excinfo.value).startswith("Timeout"):
        report.sections.append(("tasks of asyncio", _stacks()))
    return report


def _stacks() -> str:
    # All loops' tasks: asyncio itself lists only those of the running loop, and none is running here.
    found = io.StringIO()
    for task in gc.get_objects():
        if isinstance(task, asyncio.Task) and not task.done():
            task.print_stack(file=found)
    return found.getvalue()
