"""Permissions declared at the handlers."""

from __future__ import annotations

from typing import Any

import litestar
import pytest
from fastapi import APIRouter, FastAPI
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from keydesk_client import ANY_KEY, CLOSED, PUBLIC, KeydeskMiddleware, declared, permission
from tests.client.conftest import Upstream, caller, counted, protect
from tests.conftest import Team, make_key


@permission("pdf.read")
async def read(request: Any) -> PlainTextResponse:
    return PlainTextResponse("read")


@permission(ANY_KEY)
async def live(socket: Any) -> None: ...


@litestar.asgi("/bare", is_mount=True, copy_scope=True)
async def mounted(scope: Any, receive: Any, send: Any) -> None: ...


async def unmarked(request: Any) -> PlainTextResponse:
    return PlainTextResponse("unmarked")


def fastapi_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    router = APIRouter(prefix="/v1")

    @app.get("/")
    @permission(PUBLIC)
    def home() -> str:
        return "home"

    @router.post("/pdfs")
    @permission("pdf.generate")
    def make() -> str:
        return "made"

    @router.get("/unmarked")
    def nothing() -> str:
        return "nothing"

    @router.websocket("/live")
    @permission(ANY_KEY)
    async def live(socket: Any) -> None: ...

    app.include_router(router, prefix="/api")
    return app


def litestar_app() -> litestar.Litestar:
    @litestar.get("/")
    @permission(PUBLIC)
    async def home() -> str:
        return "home"

    @litestar.post("/pdfs")
    @permission("pdf.generate")
    async def make() -> str:
        return "made"

    @litestar.get("/pdfs/{number:int}")
    @permission("pdf.read")
    async def show(number: FromPath[int]) -> str:
        return f"{number}"

    @litestar.get("/pdfs/latest")
    async def nothing() -> str:
        return "nothing"

    router = litestar.Router("/api/v1", route_handlers=[make, show, nothing])
    return litestar.Litestar([home, router], openapi_config=None)


def test_a_starlette_app_is_read_through_its_mounts() -> None:
    routes = [
        Route("/pdfs/{id}", read),
        Route("/other", unmarked, methods=["POST"]),
        WebSocketRoute("/live", live),
        Mount("/sub", routes=[Route("/", read), Mount("/deep", routes=[Route("/{x:int}", read)])]),
        Mount("/static", app=StaticFiles(directory=".")),
    ]
    assert declared(Starlette(routes=routes)) == {
        "GET /pdfs/{id}": "pdf.read",
        "POST /other": CLOSED,
        "websocket /live": ANY_KEY,
        "GET /sub/": "pdf.read",
        "GET /sub/deep/{x:int}": "pdf.read",
        "* /static/{rest:path}": CLOSED,
        "websocket /static/{rest:path}": CLOSED,
    }


def test_a_fastapi_app_is_read_through_its_routers() -> None:
    assert declared(fastapi_app()) == {
        "GET /": PUBLIC,
        "POST /api/v1/pdfs": "pdf.generate",
        "GET /api/v1/unmarked": CLOSED,
        "websocket /api/v1/live": ANY_KEY,
    }


def test_a_litestar_app_is_read_in_the_order_of_its_router() -> None:
    rules = declared(litestar_app())
    assert rules == {
        "GET /": PUBLIC,
        "POST /api/v1/pdfs": "pdf.generate",
        "GET /api/v1/pdfs/latest": CLOSED,
        "GET /api/v1/pdfs/{number}": "pdf.read",
    }
    assert list(rules).index("GET /api/v1/pdfs/latest") < list(rules).index("GET /api/v1/pdfs/{number}")


@pytest.mark.parametrize("build", [fastapi_app, litestar_app])
async def test_without_a_table_the_handlers_decide_and_one_without_a_decorator_is_closed(
    team: Team, upstream: Upstream, build: Any
) -> None:
    made = await make_key(team, permissions=("pdf.read",))
    app = protect(build(), upstream, permissions=None)
    async with caller(app) as api:
        assert (await api.get("/")).status_code == 200
        assert (await api.post("/api/v1/pdfs")).status_code == 401
    async with caller(app, made.secret) as api:
        assert (await api.post("/api/v1/pdfs")).json()["missingPermission"] == "pdf.generate"
        for path in ("/api/v1/unmarked", "/api/v1/pdfs/latest", "/api/v1/none"):
            assert (await api.get(path)).status_code == 403
    await app.aclose()
    assert await counted(team, made.key.id) == (0, 1)


async def test_a_table_overrides_the_decorators(upstream: Upstream) -> None:
    app = FastAPI()
    async with caller(protect(app, upstream, permissions=declared(app) | {"GET /openapi.json": PUBLIC})) as api:
        assert (await api.get("/openapi.json")).status_code == 200
        assert (await api.get("/docs")).status_code == 403


async def test_a_preflight_passes_for_decorated_handlers_of_litestar_too(upstream: Upstream) -> None:
    async with caller(protect(litestar_app(), upstream, permissions=None)) as api:
        asking = {"origin": "https://a.example", "access-control-request-method": "POST"}
        assert (await api.options("/api/v1/pdfs", headers=asking)).status_code == 204
        assert (await api.options("/api/v1/pdfs")).status_code == 403


def test_the_first_of_two_routes_for_the_same_path_decides_as_it_does_in_the_app() -> None:
    assert declared(Starlette(routes=[Route("/x", unmarked), Route("/x", read)]))["GET /x"] is CLOSED


@pytest.mark.parametrize(
    "app",
    [
        None,
        lambda scope, receive, send: None,
        Starlette(routes=[Host("a.example", app=Starlette())]),
        litestar.Litestar([mounted], openapi_config=None),
    ],
)
def test_an_app_that_cannot_be_read_is_refused(app: Any) -> None:
    with pytest.raises(TypeError, match="by hand"):
        KeydeskMiddleware(app, url="http://127.0.0.1:1", token="t")


def test_permission_above_the_frameworks_decorator_is_refused() -> None:
    with pytest.raises(TypeError, match="right above the handler"):
        permission("pdf.read")(litestar.get("/x")(read))
