"""A client of the GraphQL API that runs the published operations by file name, over ASGI, as a given caller."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app import ids
from app.access.actor import Actor, Request
from app.api.execution.http import Response
from app.api.server.endpoint import Endpoint
from app.api.server.operations import Operations
from app.asgi import Receive, Scope, Send
from app.errors import NotAuthenticated
from app.live import Live
from app.pace import Pace
from app.paths import OPERATIONS

URL = "http://keydesk.test/graphql"


def operations() -> list[str]:
    """The names of all operation files, such as `keys/create`."""
    return sorted(str(path.relative_to(OPERATIONS).with_suffix("")) for path in OPERATIONS.rglob("*.graphql"))


def operation(name: str) -> str:
    return Path(OPERATIONS, f"{name}.graphql").read_text(encoding="utf-8")


def describe(scope: Scope) -> Request:
    return Request("203.0.113.9", "tests/1.0", ids.new(ids.REQUEST))


async def no_page(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(200, {"page": True}).send(send, ids.new(ids.REQUEST))


@dataclass
class Client:
    """`actor` replaces the session cookie; `token` is a management key."""

    actor: Actor | None = None
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    trusted_only: bool = False

    def __post_init__(self) -> None:
        operations = Operations(Pace(), trusted_only=self.trusted_only)
        self.endpoint = Endpoint(describe, self._session, no_page, operations, Live(asyncio.Event()))

    async def _session(self, scope: Scope, *, touch: bool = True) -> Actor:
        if self.actor is None:
            raise NotAuthenticated
        return self.actor

    async def request(self, method: str = "POST", url: str = URL, **kwargs: Any) -> httpx.Response:
        headers = self.headers | ({"authorization": f"Bearer {self.token}"} if self.token else {}) | kwargs.pop("headers", {})
        transport = httpx.ASGITransport(self.endpoint)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, headers=headers, **kwargs)

    async def send(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        return await self.request(json={"query": query, "variables": variables or {}}, headers=headers)

    async def ask(self, query: str, /, **variables: Any) -> Any:
        """Returns `data`; raises AssertionError with the server's answer if there are errors."""
        content = (await self.send(query, variables)).json()
        assert "errors" not in content, content
        return content["data"]

    async def refused(self, query: str, /, **variables: Any) -> list[dict[str, Any]]:
        """Returns the errors of a request that must have errors."""
        return (await self.send(query, variables)).json()["errors"]

    async def run(self, name: str, /, **variables: Any) -> Any:
        """Runs a published operation and returns its only root field."""
        (found,) = (await self.ask(operation(name), **variables)).values()
        return found

    async def change(self, name: str, /, **given: Any) -> Any:
        """Runs a published mutation with this input."""
        return await self.run(name, input=given)
