"""What has a share of the event loop in the whole application: pages, metrics and health, and not verification."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from app import pace
from app.main import Keydesk, create_app
from app.settings import Settings

AT_ONCE = 10


@pytest.fixture
def app(settings: Settings, db: None) -> Keydesk:
    return create_app(settings)


async def rested(app: Keydesk, path: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long so many requests at once were kept waiting for their turn, in seconds."""
    rests: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await real(0)

    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=app.settings.origin) as client:
        with monkeypatch.context() as patched:
            patched.setattr(pace.asyncio, "sleep", sleep)
            await asyncio.gather(*(client.get(path) for _ in range(AT_ONCE)))
    return sum(rests)


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/metrics", "/livez"])
async def test_they_rest_while_keys_are_verified_and_not_otherwise(
    app: Keydesk, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await rested(app, path, monkeypatch) == 0
    monkeypatch.setattr(pace, "URGENT_SECONDS", 1_000)
    assert await rested(app, "/v1/nothing", monkeypatch) == 0
    assert await rested(app, path, monkeypatch) > 0
