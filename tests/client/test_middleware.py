"""The middleware around real applications, with the real verification application behind it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import litestar
import pytest
from fastapi import FastAPI, Request
from litestar.params import FromPath
from litestar.response import Response as LitestarResponse
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.access.actor import Actor
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.key import Reason
from keydesk_client import ANY_KEY, PUBLIC, KeydeskKey, KeydeskMiddleware
from tests.client.conftest import Upstream, caller, counted, protect, served
from tests.conftest import GATEWAY_TOKEN, Team, make_key


def starlette_app() -> Any:
    async def make(request: StarletteRequest) -> JSONResponse:
        return JSONResponse({"by": KeydeskKey.of(request).id}, status_code=201)

    async def read(request: StarletteRequest) -> JSONResponse:
        return JSONResponse({"id": request.path_params["id"]}, status_code=404 if request.path_params["id"] == "none" else 200)

    async def fail(request: StarletteRequest) -> JSONResponse:
        raise RuntimeError("the app is broken")

    return Starlette(routes=[Route("/pdfs", make, methods=["POST"]), Route("/pdfs/broken", fail), Route("/pdfs/{id}", read)])


def fastapi_app() -> Any:
    app = FastAPI()

    @app.post("/pdfs", status_code=201)
    async def make(request: Request) -> dict[str, str]:
        return {"by": KeydeskKey.of(request).id}

    @app.get("/pdfs/broken")
    def fail() -> None:
        raise RuntimeError("the app is broken")

    @app.get("/pdfs/{id}")
    def read(id: str) -> JSONResponse:
        return JSONResponse({"id": id}, status_code=404 if id == "none" else 200)

    return app


def litestar_app() -> Any:
    @litestar.post("/pdfs")
    async def make(request: litestar.Request[Any, Any, Any]) -> dict[str, str]:
        return {"by": KeydeskKey.of(request).id}

    @litestar.get("/pdfs/broken")
    async def fail() -> None:
        raise RuntimeError("the app is broken")

    @litestar.get("/pdfs/{name:str}")
    async def read(name: FromPath[str]) -> LitestarResponse[dict[str, str]]:
        return LitestarResponse({"id": name}, status_code=404 if name == "none" else 200)

    return litestar.Litestar([make, fail, read], openapi_config=None)


FRAMEWORKS = pytest.mark.parametrize("build", [starlette_app, fastapi_app, litestar_app])


def challenge(answer: httpx.Response) -> str:
    return answer.headers["www-authenticate"]


@FRAMEWORKS
async def test_every_framework_is_protected_and_its_answers_are_counted_once(team: Team, upstream: Upstream, build: Any) -> None:
    made = await make_key(team)
    app = protect(build(), upstream)
    async with caller(app, made.secret) as api:
        created = await api.post("/pdfs")
        assert (created.status_code, created.json()) == (201, {"by": made.key.id})
        assert (await api.get("/pdfs/7")).json() == {"id": "7"}
        assert (await api.get("/pdfs/none")).status_code == 404
        assert (await api.get("/pdfs/broken")).status_code == 500
    assert await counted(team, made.key.id) == (0, 0)
    await app.aclose()
    assert await counted(team, made.key.id) == (2, 2)
    assert (await keys.get(team.owner, made.key.id)).last_used_ip == "203.0.113.9"


@FRAMEWORKS
async def test_without_a_key_nothing_is_reached_and_keydesk_is_not_even_asked(upstream: Upstream, build: Any) -> None:
    async with caller(protect(build(), upstream)) as api:
        answer = await api.post("/pdfs")
    assert answer.status_code == 401
    assert challenge(answer) == 'Bearer realm="api"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "urn:keydesk:problem:key-missing",
        "title": "Unauthorized",
        "status": 401,
        "code": "KEY_MISSING",
        "detail": "Send an API key: X-API-Key, or Authorization: Bearer.",
    }
    assert upstream.asked == []


@FRAMEWORKS
async def test_a_missing_permission_is_403_and_named_and_counted_once(team: Team, upstream: Upstream, build: Any) -> None:
    made = await make_key(team, permissions=("pdf.read",))
    app = protect(build(), upstream)
    async with caller(app, made.secret) as api:
        answer = await api.post("/pdfs")
    await app.aclose()
    assert answer.status_code == 403
    assert challenge(answer) == 'Bearer realm="api", error="insufficient_scope", scope="pdf.generate"'
    problem = answer.json()
    assert problem["code"] == "PERMISSION_DENIED"
    assert problem["missingPermission"] == "pdf.generate"
    assert problem["keyId"] == made.key.id
    assert problem["instance"].startswith("urn:keydesk:request:req_")
    assert await counted(team, made.key.id) == (0, 1)


@FRAMEWORKS
async def test_a_revoked_key_is_refused_by_the_very_next_request(team: Team, upstream: Upstream, build: Any) -> None:
    made = await make_key(team)
    app = protect(build(), upstream)
    async with caller(app, made.secret) as api:
        assert (await api.get("/pdfs/7")).status_code == 200
        revoked = await keys.revoke(team.owner, made.key.id, Reason.EXPOSED_IN_LOGS)
        answer = await api.get("/pdfs/7")
    await app.aclose()
    assert (answer.status_code, answer.json()["code"]) == (401, "REVOKED")
    assert challenge(answer) == 'Bearer realm="api", error="invalid_token"'
    assert revoked.revocation is not None and answer.json()["revokedAt"]
    assert await counted(team, made.key.id) == (1, 1)


@FRAMEWORKS
async def test_without_keydesk_the_answer_is_503_with_retry_after_until_keydesk_is_back(
    team: Team, upstream: Upstream, build: Any
) -> None:
    made = await make_key(team)
    app = protect(build(), upstream)
    async with caller(app, made.secret) as api:
        upstream.down = True
        answer = await api.post("/pdfs")
        assert (answer.status_code, answer.json()["code"]) == (503, "KEYS_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert "www-authenticate" not in answer.headers
        upstream.down = False
        assert (await api.post("/pdfs")).status_code == 201
    await app.aclose()
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_key_from_a_wrong_environment_or_address_is_403(team: Team, upstream: Upstream) -> None:
    made = await make_key(team, allowed_ips=("203.0.113.9",))
    elsewhere = protect(starlette_app(), upstream, environment="staging")
    async with caller(elsewhere, made.secret) as api:
        assert (await api.get("/pdfs/7")).json()["code"] == "ENVIRONMENT_NOT_ALLOWED"
    app = protect(starlette_app(), upstream)
    async with caller(app, made.secret, address="198.51.100.1") as api:
        answer = await api.get("/pdfs/7", headers={"x-forwarded-for": "203.0.113.9"})
    assert (answer.status_code, answer.json()["code"]) == (403, "IP_NOT_ALLOWED")
    assert challenge(answer) == 'Bearer realm="api", error="insufficient_scope"'
    behind = protect(starlette_app(), upstream, environment="production", trusted_proxies=["198.51.100.0/24"])
    async with caller(behind, made.secret, address="198.51.100.1") as api:
        assert (await api.get("/pdfs/7", headers={"x-forwarded-for": "6.6.6.6, 203.0.113.9"})).status_code == 200
    await behind.aclose()


async def test_a_public_route_does_not_ask_keydesk_and_any_key_needs_no_permission(team: Team, upstream: Upstream) -> None:
    made = await make_key(team, permissions=("pdf.read",))
    app = protect(starlette_app(), upstream, permissions={"GET /pdfs/{id}": PUBLIC, "POST /pdfs": ANY_KEY})
    async with caller(app) as api:
        assert (await api.get("/pdfs/7")).status_code == 200
        assert (await api.post("/pdfs")).status_code == 401
    assert upstream.asked == []
    async with caller(app, made.secret) as api:
        assert (await api.post("/pdfs")).status_code == 201
    await app.aclose()
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_request_that_matches_no_rule_is_refused_even_with_a_valid_key(team: Team, upstream: Upstream) -> None:
    made = await make_key(team, permissions=("pdf.generate", "pdf.read", "pdf.delete", "template.read", "template.write"))
    app = protect(starlette_app(), upstream, permissions={"POST /pdfs": "pdf.generate"})
    async with caller(app, made.secret) as api:
        for method, path in (("GET", "/pdfs/7"), ("DELETE", "/pdfs"), ("GET", "/"), ("POST", "//pdfs")):
            answer = await api.request(method, f"http://api.test{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "ROUTE_CLOSED"), path
    assert upstream.asked == []


async def test_a_permission_keydesk_does_not_know_closes_the_route_and_the_log_says_why(
    team: Team, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream, permissions={"POST /pdfs": "pdf.generat"})
    async with caller(app, made.secret) as api:
        assert (await api.post("/pdfs")).status_code == 503
    assert [record.levelname for record in caplog.records if record.name == "keydesk_client"] == ["ERROR"]
    assert "UNKNOWN_PERMISSION" in caplog.text and "'pdf.generat'" in caplog.text


async def test_a_revoked_gateway_token_closes_everything_immediately(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    token = await gateway_tokens.create(Actor.operator(), "my-api")
    app = protect(starlette_app(), upstream, token=token.secret)
    async with caller(app, made.secret) as api:
        assert (await api.get("/pdfs/7")).status_code == 200
        await app.aclose()
        await gateway_tokens.revoke(Actor.operator(), token.token.id)
        answer = await api.get("/pdfs/7")
    assert (answer.status_code, answer.json()["code"]) == (503, "KEYS_UNAVAILABLE")
    assert await counted(team, made.key.id) == (1, 0)


async def test_two_keys_and_a_key_in_the_address_are_400_and_never_asked_about(team: Team, upstream: Upstream) -> None:
    one, two = await make_key(team), await make_key(team, "Second")
    app = protect(starlette_app(), upstream)
    async with caller(app, one.secret) as api:
        both = await api.get("/pdfs/7", headers={"authorization": f"Bearer {two.secret}"})
        in_query = await api.get("/pdfs/7", params={"v": f"({two.secret})"})
        hidden = await api.get(f"/pdfs/7?k={''.join(f'%{ord(letter):02x}' for letter in str(two.secret))}")
    assert (both.status_code, both.json()["code"]) == (400, "KEY_AMBIGUOUS")
    assert challenge(both) == 'Bearer realm="api", error="invalid_request"'
    for answer in (in_query, hidden):
        assert (answer.status_code, answer.json()["code"]) == (400, "KEY_IN_QUERY")
    assert upstream.asked == []


async def test_a_jwt_for_another_service_beside_the_key_is_ignored(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream)
    async with caller(app, made.secret) as api:
        assert (await api.get("/pdfs/7", headers={"authorization": "Bearer eyJhbGciOi.J9.e30"})).status_code == 200
    async with caller(app) as api:
        assert (await api.get("/pdfs/7", headers={"authorization": f"bearer  {made.secret}"})).status_code == 200
        assert (await api.get("/pdfs/7", headers={"authorization": f"Basic {made.secret}"})).status_code == 401
    await app.aclose()


@pytest.mark.parametrize(
    "key",
    [" ", "x", "fl_live_" + "0" * 38, "fl_gate_" + "0" * 38, "é" * 40, "\t", '"}', "null", "a" * 256, "a" * 70_000, "\\ud800"],
)
async def test_any_text_that_is_not_a_key_is_401(upstream: Upstream, key: str) -> None:
    async with caller(protect(starlette_app(), upstream)) as api:
        answer = await api.post("/pdfs", headers=[(b"x-api-key", key.encode())])
    assert answer.status_code == 401
    assert answer.json()["code"] in ("KEY_MISSING", "MALFORMED", "NOT_FOUND")


async def test_any_user_agent_is_reported_without_harm(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream)
    async with caller(app, made.secret) as api:
        for agent in (b"", b"\xff\x00\x1b[31m", b'"\\' * 4_000):
            assert (await api.get("/pdfs/7", headers=[(b"user-agent", agent)])).status_code == 200
    await app.aclose()
    assert await counted(team, made.key.id) == (3, 0)


async def test_a_preflight_reaches_the_apps_own_cors_and_nothing_else_does(upstream: Upstream) -> None:
    inner = CORSMiddleware(
        starlette_app(), allow_origins=["https://shop.example"], allow_headers=["x-api-key"], allow_methods=["*"]
    )
    asking = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    async with caller(protect(inner, upstream)) as api:
        answer = await api.options("/pdfs", headers=asking)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")
        assert (await api.options("/pdfs")).status_code == 403
        assert (await api.options("/pdfs", headers={"origin": "https://shop.example"})).status_code == 403
        assert (await api.options("/pdfs", headers=asking | {"access-control-request-method": "PUT"})).status_code == 403
        assert (await api.options("/admin", headers=asking)).status_code == 403
        assert (await api.post("/pdfs", headers=asking)).status_code == 401


async def test_cors_middleware_around_it_lets_a_browser_read_refusals(upstream: Upstream) -> None:
    app = CORSMiddleware(protect(starlette_app(), upstream), allow_origins=["https://shop.example"])
    async with caller(app) as api:
        answer = await api.post("/pdfs", headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://shop.example")


async def test_it_works_as_a_middleware_that_the_framework_adds(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = fastapi_app()
    app.add_middleware(
        KeydeskMiddleware,
        url="http://keydesk.test",
        token=GATEWAY_TOKEN,
        permissions={"GET /pdfs/{id}": "pdf.read"},
        transport=upstream,
    )
    async with served(app), caller(app, made.secret) as api:
        assert (await api.get("/pdfs/7")).status_code == 200
        assert (await api.post("/pdfs")).status_code == 403
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_head_request_needs_what_get_needs_and_a_refusal_of_it_has_no_body(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream)
    async with caller(app) as api:
        refused = await api.head("/pdfs/7")
    assert (refused.status_code, refused.content) == (401, b"")
    async with caller(app, made.secret) as api:
        assert (await api.head("/pdfs/7")).status_code == 200
    await app.aclose()
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_hundred_concurrent_requests_are_a_hundred_counts(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream)
    async with caller(app, made.secret) as api:
        answers = await asyncio.gather(*(api.get(f"/pdfs/{number}") for number in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    await app.aclose()
    assert await counted(team, made.key.id) == (100, 0)


async def test_neither_key_nor_token_is_in_any_log_message_or_repr(
    team: Team, upstream: Upstream, everything_logged: pytest.LogCaptureFixture
) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream)
    shown = [repr(app), repr(vars(app)), repr(app._keydesk), repr(app._reporter)]
    async with caller(app, made.secret) as api:
        answers = [await api.get("/pdfs/7"), await api.get("/pdfs/broken"), await api.put("/pdfs")]
        upstream.down = True
        answers.append(await api.get("/pdfs/7"))
        upstream.down = False
    await app.aclose()
    assert logging.getLogger("keydesk_client").isEnabledFor(logging.DEBUG)
    shown += [f"{answer.text} {answer.headers}" for answer in answers]
    said = "\n".join([everything_logged.text, *shown, *(str(vars(record)) for record in everything_logged.records)])
    assert "/v1/verify" in said and "keydesk_client" in said
    assert str(made.secret) not in said
    assert GATEWAY_TOKEN not in said
