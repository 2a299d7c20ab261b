"""Baselines for the measurements, in the same server: Litestar routes that do nothing, and a bare ASGI function."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from litestar import Litestar, get, post

from app import database
from app.main import App, Receive, Scope, Send
from bench.graphql.floors import PREFIX as FLOORS
from bench.graphql.floors import Floors

PREFIX: Final = "/baseline/"
_BODY: Final = b'{"valid":true}'


class VerifyBody(msgspec.Struct, rename="camel"):
    """The body of `/v1/verify`, for a route that reads it and does nothing with it."""

    key: str
    permission: str | None = None
    environment: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    outcome_follows: bool = False


@get("/baseline/get")
async def nothing() -> dict[str, bool]:
    return {"valid": True}


@post("/baseline/post", status_code=200)
async def nothing_with_a_body(data: VerifyBody) -> dict[str, bool]:
    return {"valid": True}


@post("/baseline/page", status_code=200)
async def page_by_one_statement(data: dict[str, Any]) -> list[dict[str, Any]]:
    """A page of keys with ten fields by one statement, without authorization or pagination."""
    return await database.fetch(
        "SELECT k.id, k.name, k.prefix, k.environment, k.permissions, k.created_at, k.expires_at, k.suspended_at, k.revoked_at,"
        " u.last_used_at FROM api_key k JOIN key_last_used u ON u.key = k.id JOIN workspace w ON w.id = k.workspace"
        " WHERE w.slug = {} ORDER BY k.created_at DESC, k.id DESC LIMIT 100",
        data["workspace"],
    )


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


async def counted(scope: Scope, receive: Receive, send: Send) -> None:
    """The number of requests that the database has counted."""
    (row,) = await database.fetch("SELECT COALESCE(SUM(requests), 0) AS counted FROM usage_hour")
    body = json.dumps(int(row["counted"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def beside(product: App, floors: Floors) -> App:
    """The product, with the baseline routes and the floors added in front."""
    routes = {f"{PREFIX}bare": bare, f"{PREFIX}counted": counted}
    litestar: Any = Litestar([nothing, nothing_with_a_body, page_by_one_statement], openapi_config=None, logging_config=None)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(FLOORS):
            await floors(scope, receive, send)
        elif path.startswith(PREFIX):
            await routes.get(path, litestar)(scope, receive, send)
        else:
            await product(scope, receive, send)

    return app
