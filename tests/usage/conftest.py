"""Use of many days; and the gateway fixture of the verification tests, because gateways send reports."""

from __future__ import annotations

import pytest

from tests.conftest import Team
from tests.usage.history import use_of_150_days
from tests.verification.conftest import service

__all__ = ["service"]


@pytest.fixture
async def used(db: None) -> tuple[Team, list[str]]:
    return await use_of_150_days()
