"""Fixtures for verification as a gateway uses it: over ASGI, with the gateway token of the settings by default."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app import database
from app.access.actor import Actor
from app.clock import hour_of
from app.gateway_tokens import service as gateway_tokens
from app.settings import Settings
from app.usage import log as usage_log
from app.verification.routes import Verification
from tests.conftest import GATEWAY_TOKEN
from tests.support.time_limits import extend_time_limits

URL = "http://keydesk.test"
NOW = 1_790_000_000_000_000
Headers = list[tuple[str, str]]


@dataclass
class Service:
    """A protected API that verifies keys with Keydesk. With `token` None it sends no gateway token."""

    app: Verification
    token: str | None = GATEWAY_TOKEN
    looked_up: list[bytes] = field(default_factory=list)

    async def request(self, method: str, target: str, **kwargs: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.request(method, target, **kwargs)

    async def post(self, target: str, **kwargs: Any) -> httpx.Response:
        """Posts with the gateway token as Bearer token."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token is not None else {}
        return await self.request("POST", target, headers=headers | kwargs.pop("headers", {}), **kwargs)

    async def verify(self, key: Any, **asked: Any) -> dict[str, Any]:
        """Verifies a key and returns the answer, which must be a 200."""
        response = await self.post("/v1/verify", json={"key": key} | asked)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def code(self, key: Any, **asked: Any) -> str:
        return str((await self.verify(key, **asked))["code"])

    async def forward(self, *headers: tuple[str, str], query: str = "", method: str = "GET") -> httpx.Response:
        """Requests `/v1/forward-auth` with the gateway token and these headers."""
        own: Headers = [("x-gateway-token", self.token)] if self.token is not None else []
        return await self.request(method, f"/v1/forward-auth{query}", headers=[*own, *headers])

    async def report(self, batch: str, *events: Any) -> httpx.Response:
        return await self.post("/v1/usage", json={"batchId": batch, "events": list(events)})


def watched(verification: Verification) -> Service:
    """Records the digest of every key that is looked up."""
    service, hot = Service(verification), usage_log.current().hot
    read = hot.read

    async def noting(lookup: Any, *lists: list[bytes]) -> Any:
        service.looked_up.extend(lists[0])
        return await read(lookup, *lists)

    hot.read = noting  # type: ignore[method-assign]
    return service


@pytest.fixture
async def service(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    extend_time_limits(monkeypatch)
    verification = Verification(settings)
    await verification.open()
    yield watched(verification)
    await verification.close()


async def counters() -> dict[tuple[str, str, str], int]:
    """The number of requests by key, permission and outcome, over all hours."""
    rows = await database.fetch(
        "SELECT key, permission, outcome, SUM(requests) AS n FROM usage_hour GROUP BY key, permission, outcome"
    )
    return {(row["key"], row["permission"], row["outcome"]): int(row["n"]) for row in rows}


async def outcomes() -> dict[str, int]:
    """The number of requests by outcome, over all keys and hours."""
    rows = await database.fetch("SELECT outcome, SUM(requests) AS n FROM usage_hour GROUP BY outcome")
    return {row["outcome"]: int(row["n"]) for row in rows}


async def last_used(key_id: str) -> tuple[int | None, str | None]:
    (row,) = await database.fetch("SELECT last_used_at, last_used_ip FROM key_last_used WHERE key = {}", key_id)
    return row["last_used_at"], row["last_used_ip"]


async def change_key(key_id: str, **columns: Any) -> None:
    """Updates a key's row directly, for states that no use case creates or that would take too long."""
    async with database.transaction():
        for column, value in columns.items():
            await database.fetch(f"UPDATE api_key SET {column} = {{}} WHERE id = {{}}", value, key_id)


async def suspend_workspace(workspace_id: str, at: int) -> None:
    async with database.transaction():
        await database.fetch("UPDATE workspace SET suspended_at = {} WHERE id = {}", at, workspace_id)


async def gateway_token(**bound: Any) -> str:
    """A new gateway token, created by the operator."""
    return (await gateway_tokens.create(Actor.operator(), "api", **bound)).secret


async def hours() -> set[int]:
    return {row["hour"] for row in await database.fetch("SELECT DISTINCT hour FROM usage_hour")}


THIS_HOUR = hour_of(NOW)
