"""A real Keydesk behind the client: its verification application, on the database under test."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from app.settings import Settings
from app.usage import service as usage
from app.verification.routes import Verification
from keydesk_client import KeydeskMiddleware
from tests.conftest import GATEWAY_TOKEN, Team
from tests.support.access import at
from tests.support.time_limits import extend_time_limits

URL = "http://keydesk.test"
PERMISSIONS: dict[str, Any] = {"POST /pdfs": "pdf.generate", "GET /pdfs/{id}": "pdf.read"}


class Upstream(httpx.AsyncBaseTransport):
    """The connection to Keydesk. `down`: no answers. `lost_answers`: so many requests are processed, but their answers lost."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self.down, self.lost_answers = False, 0
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("down")
        response = await self._inner.handle_async_request(request)
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx.ReadTimeout("lost_answers")
        return response


@pytest.fixture
async def verification(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Verification]:
    """The application that answers `/v1/*`."""
    extend_time_limits(monkeypatch)
    application = Verification(settings)
    await application.open()
    yield application
    await application.close()


@pytest.fixture
def upstream(verification: Verification) -> Upstream:
    return Upstream(verification)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that any library logs at DEBUG."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def protect(app: Any, upstream: httpx.AsyncBaseTransport, **options: Any) -> KeydeskMiddleware:
    """The app behind the middleware, as its author would write it."""
    settings: dict[str, Any] = {"url": URL, "token": GATEWAY_TOKEN, "permissions": PERMISSIONS, "transport": upstream}
    return KeydeskMiddleware(app, **(settings | options))


def caller(app: Any, key: str | None = None, address: str = "203.0.113.9") -> httpx.AsyncClient:
    """A client of the API, with or without a key."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://api.test", headers={"x-api-key": key} if key else {})


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[list[str]]:
    """Runs the ASGI lifespan as a server does: startup, requests, shutdown. Yields the types of messages it gets back."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: list[str] = []
    started = asyncio.Event()

    async def send(message: Any) -> None:
        said.append(message["type"])
        started.set()

    task = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, send))
    inbox.put_nowait({"type": "lifespan.startup"})
    await asyncio.wait([task, starting := asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    yield said
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await task


async def counted(team: Team, key_id: str) -> tuple[int, int]:
    """Successful and failed requests of a key, as its owner sees them."""
    counts = (await usage.of_key(*await at(team.owner, key_id))).counts
    return counts.successful, counts.failed
