"""The post office of the accounts' tests, here too."""

from __future__ import annotations

from tests.accounts.conftest import smtp

__all__ = ["smtp"]
