"""A request that was answered although its body never arrived leaves nothing in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from app import bodies
from app.main import Keydesk


class Waiting:
    """A body that never arrives; the server's references to the request keep this object alive."""

    async def __call__(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def nothing_collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/account/name"])
async def test_a_body_that_never_arrived_is_released_with_its_answer(
    app: Keydesk, db: None, nothing_collected: None, path: str
) -> None:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    receive = Waiting()
    held = weakref.ref(receive)
    await app(_scope(path, app.settings.origin), receive, send)
    del receive
    await asyncio.sleep(0)  # an exception thrown into this step of the task lives as long as the step
    assert statuses == [408]
    assert held() is None


def _scope(path: str, origin: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", origin.partition("://")[2].encode()),
            (b"origin", origin.encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", b"60000"),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
