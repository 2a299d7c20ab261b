"""Health endpoints and metrics: alive, ready, and numbers that name no tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import database, runtime
from app.audit import service as audit
from app.errors import Unavailable
from app.health import Health
from app.journal import file as journal
from app.journal.file import Journal
from app.metrics import REQUESTS, VERIFICATIONS, with_request_metrics
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from tests.conftest import Team, make_key


@pytest.fixture
async def node(db: None) -> AsyncIterator[tuple[Health, httpx.AsyncClient]]:
    health = Health(_nothing_wrong)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(health), base_url="http://node.test") as client:  # type: ignore[arg-type]
        yield health, client


async def test_a_node_with_all_it_needs_is_alive_and_ready(node: tuple[Health, httpx.AsyncClient]) -> None:
    _, client = node
    assert (await client.get("/livez")).text == "alive\n"
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "faults": {}})
    assert ready.headers["cache-control"] == "no-store"


async def test_a_stopping_node_is_alive_but_not_ready(node: tuple[Health, httpx.AsyncClient]) -> None:
    health, client = node
    health.draining = True
    assert (await client.get("/livez")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["faults"]) == (503, {"node": "stopping"})


async def test_a_starting_node_is_alive_but_not_ready(node: tuple[Health, httpx.AsyncClient]) -> None:
    health, client = node
    health.starting = True
    assert (await client.get("/livez")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["faults"]) == (503, {"node": "starting"})


async def test_a_database_of_another_version_or_pepper_makes_a_node_unready(
    node: tuple[Health, httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = node
    monkeypatch.setattr("app.health.missing", _one_missing)
    assert list((await client.get("/readyz")).json()["faults"]) == ["migrations"]
    monkeypatch.undo()
    runtime.put(Peppers(Pepper(99, b"another pepper that nobody has ever heard of")))
    assert list((await client.get("/readyz")).json()["faults"]) == ["pepper"]


async def test_a_journal_that_cannot_be_written_makes_a_node_unready(
    node: tuple[Health, httpx.AsyncClient], tmp_path: Path
) -> None:
    _, client = node
    folder = tmp_path / "journal"
    folder.mkdir()
    runtime.put(Journal(folder))
    await journal.current().append([{"kind": "none"}])
    assert list((await client.get("/readyz")).json()["faults"]) == ["journal"]


async def test_metrics_name_no_tenant_and_count_answers(node: tuple[Health, httpx.AsyncClient]) -> None:
    _, client = node

    async def answers(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(with_request_metrics("test", answers)), base_url="http://x.test"
    ) as asking:  # type: ignore[arg-type]
        await asking.get("/w/a-tenant")
    VERIFICATIONS.labels("VALID").inc()
    text = (await client.get("/metrics")).text
    assert 'keydesk_requests_total{face="test",status="418"} 1.0' in text
    assert "a-tenant" not in text
    assert set(REQUESTS._labelnames) == {"face", "status"} and set(VERIFICATIONS._labelnames) == {"code"}


async def _one_missing() -> list[str]:
    return ["2027-01-01T00:00:00"]


async def _nothing_wrong() -> None:
    return None


async def test_a_node_with_a_former_pepper_is_not_ready_and_refuses_changes(
    node: tuple[Health, httpx.AsyncClient], team: Team
) -> None:
    _, client = node
    before = peppers.current()
    newer = Pepper(before.current.version + 1, b"a newer pepper for the tests and for nothing else")
    async with database.transaction():
        runtime.put(Peppers(newer, before.current))
        await audit.rewrap_keys()
    try:
        runtime.put(before)
        assert list((await client.get("/readyz")).json()["faults"]) == ["pepper"]
        with pytest.raises(Unavailable, match=r"."):
            await make_key(team)
    finally:
        runtime.put(Peppers(before.current, newer))
        async with database.transaction():
            await audit.rewrap_keys()
        runtime.put(before)
    assert (await client.get("/readyz")).json()["faults"] == {}
