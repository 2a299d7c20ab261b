"""The permission table: what it allows, and that no request can get more than that."""

from __future__ import annotations

from typing import Any

import litestar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from keydesk_client import ANY_KEY, CLOSED, PUBLIC, KeydeskMiddleware
from keydesk_client.rules import WEBSOCKET, Requirement, Rules

TABLE: dict[str, Requirement] = {
    "GET /": PUBLIC,
    "GET /pdfs/latest": "pdf.latest",
    "GET /pdfs/{id:int}": "pdf.read",
    "* /files/{rest:path}": "file.all",
    "post /pdfs/": "pdf.generate",
    "WEBSOCKET /live": "live",
    "GET /by/{id:uuid}/{ratio:float}": ANY_KEY,
}


def asked(method: str, path: str, *, root_path: str = "", headers: dict[str, str] | None = None) -> Requirement:
    lines = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    kind = {"type": "websocket"} if method == WEBSOCKET else {"type": "http", "method": method}
    return Rules(TABLE).requirement(kind | {"path": path, "root_path": root_path, "headers": lines})


@pytest.mark.parametrize(
    ("method", "path", "requirement"),
    [
        ("GET", "/", PUBLIC),
        ("HEAD", "/", PUBLIC),
        ("POST", "/", CLOSED),
        ("GET", "/pdfs/latest", "pdf.latest"),
        ("GET", "/pdfs/12", "pdf.read"),
        ("gEt", "/pdfs/12", "pdf.read"),
        ("GET", "/pdfs/12/", "pdf.read"),
        ("GET", "/pdfs/-1", CLOSED),
        ("GET", "/pdfs/١", CLOSED),
        ("GET", "/pdfs", CLOSED),
        ("POST", "/pdfs", "pdf.generate"),
        ("POST", "/pdfs/", "pdf.generate"),
        ("POST", "/PDFS", CLOSED),
        ("PURGE", "/files/a/b/c", "file.all"),
        ("OPTIONS", "/files/a", "file.all"),
        ("GET", "/files/", "file.all"),
        ("GET", "/files", CLOSED),
        (WEBSOCKET, "/live", "live"),
        ("GET", "/live", CLOSED),
        ("WebSocket", "/live", CLOSED),
        (WEBSOCKET, "/files/a", CLOSED),
        ("GET", "/by/8B0C9A1E-3f64-4a0e-9d7e-3a2f8d3e1c11/0.5", ANY_KEY),
        ("GET", "/by/8b0c9a1e-3f64-4a0e-9d7e-3a2f8d3e1c11/.5", CLOSED),
    ],
)
def test_the_first_matching_rule_decides_and_without_one_it_is_closed(method: str, path: str, requirement: Requirement) -> None:
    assert asked(method, path) == requirement


AMBIGUOUS = ["//", "//pdfs/1", "/pdfs//1", "/files/../pdfs/1", "/files/.", "/pdfs/1\n", "/pdfs/1\x00", "/files/a//", "/files/\x7f"]


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_path_that_routers_interpret_differently_is_closed(path: str) -> None:
    assert asked("GET", path) is CLOSED


@pytest.mark.parametrize(
    ("root", "path", "requirement"),
    [
        ("/api", "/api/pdfs/12", "pdf.read"),
        ("/api/", "/api/pdfs/12", "pdf.read"),
        ("/api", "/pdfs/12", "pdf.read"),
        ("/api", "/api", PUBLIC),
        ("/api", "/apipdfs/12", CLOSED),
        ("/api", "/pdfs/api/12", CLOSED),
        ("/api", "/x/api/pdfs/12", CLOSED),
    ],
)
def test_the_path_is_the_one_the_application_sees_below_its_root(root: str, path: str, requirement: Requirement) -> None:
    assert asked("GET", path, root_path=root) == requirement


def test_a_preflight_passes_if_a_rule_allows_the_method_it_asks_about() -> None:
    asking = {"origin": "https://a.example", "access-control-request-method": "post"}
    assert asked("OPTIONS", "/pdfs", headers=asking) is PUBLIC
    assert asked("OPTIONS", "/pdfs/12", headers=asking) is CLOSED
    assert asked("OPTIONS", "/files/a", headers=asking) == "file.all"
    assert asked("OPTIONS", "/pdfs", headers={"origin": "https://a.example"}) is CLOSED
    assert asked("OPTIONS", "/pdfs", headers={"access-control-request-method": "POST"}) is CLOSED
    assert asked("OPTIONS", "/live", headers=asking | {"access-control-request-method": "websocket"}) is CLOSED


@pytest.mark.parametrize(
    ("route", "requirement"),
    [
        ("/pdfs", "pdf.read"),
        ("GET", "pdf.read"),
        ("GET pdfs", "pdf.read"),
        (" /pdfs", "pdf.read"),
        ("GET /pdfs/{id", "pdf.read"),
        ("GET /pdfs/id}", "pdf.read"),
        ("GET /pdfs/{}", "pdf.read"),
        ("GET /pdfs/{id:number}", "pdf.read"),
        ("GET /pdfs", ""),
        ("GET /pdfs", None),
        ("GET /pdfs", True),
        ("GET /pdfs", ["pdf.read"]),
    ],
)
def test_an_invalid_rule_is_refused_at_construction(route: str, requirement: Any) -> None:
    with pytest.raises(ValueError, match=r"route|parameter|permission|none of"):
        Rules({route: requirement})


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("GET /pdfs/{id}", "GET /pdfs/latest"),
        ("* /pdfs", "GET /pdfs"),
        ("GET /pdfs", "HEAD /pdfs/"),
        ("GET /{rest:path}", "GET /pdfs/{id}"),
        ("GET /pdfs/{a}", "GET /pdfs/{b}"),
        ("WEBSOCKET /{rest:path}", "WEBSOCKET /live"),
    ],
)
def test_a_rule_that_another_hides_is_refused_unless_both_are_equal(first: str, later: str) -> None:
    with pytest.raises(ValueError, match="never reached"):
        Rules({first: PUBLIC, later: "pdf.read"})
    Rules({first: "pdf.read", later: "pdf.read"})


def plain(word: str) -> Any:
    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse(word)

    return answer


class Report(HTTPEndpoint):
    """Accepts methods in upper and lower case."""

    async def get(self, request: Any) -> PlainTextResponse:
        return PlainTextResponse("secret")


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Ignores path and method."""
    await PlainTextResponse("secret")(scope, receive, send)


STARLETTE = Starlette(
    routes=[
        Route("/admin", plain("secret"), methods=["GET", "POST"]),
        Route("/report", Report),
        Mount("/sub", routes=[Route("/", plain("secret")), Route("/{name}", plain("secret"))]),
        Mount("/bare", app=bare),
        Route("/{page}", plain("public")),
        Route("/files/{rest:path}", plain("secret")),
        Route("/{a}/{b}", plain("public"), methods=["GET", "PURGE"]),
    ]
)


@litestar.route("/admin", http_method=["GET", "POST"], status_code=200)
async def litestar_admin() -> str:
    return "secret"


@litestar.get("/files/{rest:path}")
async def litestar_files(rest: FromPath[str]) -> str:
    return "secret"


@litestar.get(["/sub", "/sub/{name:str}", "/report"])
async def litestar_sub() -> str:
    return "secret"


@litestar.get(["/{page:str}", "/{page:str}/{b:str}"])
async def litestar_page() -> str:
    return "public"


@litestar.asgi("/bare", is_mount=True, copy_scope=True)
async def litestar_bare(scope: Any, receive: Any, send: Any) -> None:
    await bare(scope, receive, send)


LITESTAR = litestar.Litestar([litestar_admin, litestar_files, litestar_sub, litestar_bare, litestar_page], openapi_config=None)
OPEN: dict[str, Requirement] = {
    "WEBSOCKET /{rest:path}": PUBLIC,
    "GET /admin": "admin",
    "POST /admin": "admin",
    "GET /report": "admin",
    "* /bare{rest:path}": "admin",  # a mount of Litestar serves `/bareness` too
    "* /sub": "admin",
    "* /sub/{name}": "admin",
    "* /{page}": PUBLIC,
    "* /files/{rest:path}": "admin",
    "* /{a}/{b}": PUBLIC,
    "* /{a}/{b}/{c}": PUBLIC,
}
WORDS = ["admin", "report", "sub", "bare", "files", "page", "a"]
TRICKS = ["", ".", "..", "\n", "\r", "\x00", " ", "%2f", "%00", ";", "\\", "?", "é", "ADMIN"]
SEGMENTS = st.lists(st.sampled_from(WORDS * 2 + TRICKS), min_size=1, max_size=4)
ENDS = st.sampled_from(["", "", "/", "//", "\n", "/.", " "])
PATHS = st.builds(lambda segments, end: "/" + "/".join(segments) + end, SEGMENTS, ENDS)
ROOTS = st.sampled_from(["", "", "", "/", "/sub", "/admin", "/a", "/files/"])
METHODS = st.sampled_from(["GET", "GET", "gEt", "HEAD", "POST", "OPTIONS", "PURGE", "get", "WEBSOCKET", "*", "\x00"])


async def answer_of(app: Any, method: str, path: str, root: str) -> str | None:
    """The answer without any key; None for a refusal or an error. There is no Keydesk behind it."""
    said: list[Any] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": root, "query_string": b"", "client": ("203.0.113.9", 1), "server": ("api.test", 80),
        "headers": [(b"host", b"api.test"), (b"origin", b"https://a.example"), (b"access-control-request-method", b"GET")],
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return b"".join(message.get("body", b"") for message in said).decode() if said[0]["status"] == 200 else None


@pytest.mark.parametrize("app", [STARLETTE, LITESTAR], ids=["starlette", "litestar"])
@example(method="GET", path="/admin\n", root="")
@example(method="gEt", path="/report", root="")
@example(method="WEBSOCKET", path="/bare/x", root="")
@example(method="GET", path="/files/", root="")
@example(method="GET", path="/files/admin/admin", root="/files/")
@example(method="GET", path="/page/a/admin", root="/a")
@settings(max_examples=500, deadline=None)
@given(method=METHODS, path=PATHS, root=ROOTS)
async def test_no_address_or_method_reaches_a_protected_handler_through_a_public_rule(
    app: Any, method: str, path: str, root: str
) -> None:
    protected = KeydeskMiddleware(app, url="http://127.0.0.1:1", token="t", permissions=OPEN)
    assert await answer_of(protected, method, path, root) in (None, "", "public")


@pytest.mark.parametrize("app", [STARLETTE, LITESTAR], ids=["starlette", "litestar"])
async def test_the_handlers_of_that_test_are_reachable(app: Any) -> None:
    for path in ("/admin", "/report", "/sub/x", "/bare/x", "/files/a/b"):
        assert await answer_of(app, "GET", path, "") == "secret"
    assert await answer_of(app, "GET", "/page", "") == "public"
