"""The node of the commands' tests, and a job that rotates a key while an application uses it."""

from __future__ import annotations

from tests.cli.conftest import node
from tests.cli.test_rotate import job

__all__ = ["job", "node"]
