"""A post office: this process's mail goes to a real SMTP server of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app import mail, runtime
from app.settings import Settings
from tests.support.smtp import Smtp


@pytest.fixture
async def smtp(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Smtp]:
    monkeypatch.setattr(mail, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
    async with Smtp.running() as server:
        there = replace(settings, smtp_url=f"smtp://127.0.0.1:{server.port}", public_url="https://keys.example.com")
        with runtime.replaced(mail.Mail(there)):
            yield server
            await mail.current().drain()
