"""Programs that tests need and Python requirements cannot include: missing ones fail the tests in CI, and skip them elsewhere."""

from __future__ import annotations

import os
import shutil

import pytest

# Where Debian installs servers, and where PATH does not always look.
SERVERS = "/usr/sbin"


def program(name: str, package: str | None = None) -> str:
    """The path of a program; `package`: that of Debian, if it has another name."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), SERVERS])
    if found := shutil.which(name, path=path):
        return found
    reason = f"this test needs {name}. On Debian: apt-get install {package or name}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
