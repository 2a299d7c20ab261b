"""Shares of the event loop in the whole application: they apply to pages, metrics and health, and not to verification."""

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
    """How long so many concurrent requests waited for their turn, in seconds, without the short pauses between slices
    of a page."""
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
    return sum(rest for rest in rests if rest > pace.LONG_REST_SECONDS)


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/metrics", "/livez"])
async def test_they_wait_only_while_keys_are_verified(app: Keydesk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await rested(app, path, monkeypatch) == 0
    monkeypatch.setattr(pace, "URGENT_SECONDS", 1_000)
    # So that even the shortest answer has to rest on a fast machine.
    monkeypatch.setattr(pace, "AROUND_SECONDS", 0.001)
    assert await rested(app, "/v1/nothing", monkeypatch) == 0
    assert await rested(app, path, monkeypatch) > 0


@pytest.mark.parametrize("path", ["/sign-in", "/metrics", "/livez"])
async def test_a_flood_from_one_network_delays_nobody_elsewhere(app: Keydesk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "URGENT_SECONDS", 1_000)
    answered: list[str] = []
    all_wait = asyncio.Event()
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        await (all_wait.wait() if seconds > pace.LONG_REST_SECONDS else real(0))

    async def ask(address: str, asked: str = path) -> None:
        transport = httpx.ASGITransport(app, client=(address, 50_000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=app.settings.origin) as client:
            await client.get(asked)
        answered.append(address)

    await ask("203.0.113.1", "/v1/nothing")
    with monkeypatch.context() as patched:
        patched.setattr(pace.asyncio, "sleep", sleep)
        asked = [asyncio.create_task(ask(f"2001:db8::{number:x}")) for number in range(1, 61)]
        for _ in range(100):
            await real(0)
        asked.append(asyncio.create_task(ask("203.0.113.9")))
        for _ in range(100):
            await real(0)
        before = len(answered)
        all_wait.set()
        await asyncio.gather(*asked)
    assert before < 50 and answered.index("203.0.113.9") < before + 10
