"""However a request ends, it is counted once, with its final status."""

from __future__ import annotations

import asyncio
from typing import Any

import litestar
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from keydesk_client import KeydeskKey
from tests.client.conftest import Upstream, caller, counted, protect
from tests.conftest import Team, make_key

ALL = {"GET /{rest:path}": "pdf.read", "WEBSOCKET /{rest:path}": "pdf.read"}
START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"x"}
SOCKET = {"scheme": "ws", "query_string": b"", "raw_path": b"/7", "root_path": "", "server": ("a", 80), "subprotocols": []}
MORE = LAST | {"more_body": True}


class Connection:
    """A server's side of one request: sends the given messages, then waits; records what it receives."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self._inbox.put_nowait(message)
        self.sent: list[Any] = []
        self.broken = False

    async def receive(self) -> dict[str, Any]:
        return await self._inbox.get()

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("the client is gone")
        self.sent.append(message)

    def disconnect(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})


def scope(key: str | None, kind: str = "http", **more: Any) -> dict[str, Any]:
    headers = [(b"x-api-key", (key or "").encode())]
    method = {"method": "GET"} if kind == "http" else {}
    return {"type": kind, "path": "/7", "headers": headers, "client": ("203.0.113.9", 1), **method, **more}


async def after(
    team: Team, upstream: Upstream, app: Any, connection: Connection, kind: str = "http", **more: Any
) -> tuple[int, tuple[int, int]]:
    """The outcomes reported for one request to the app, and the usage that the key's owner then sees."""
    made = await make_key(team)
    protected = protect(app, upstream, permissions=ALL)
    statuses: list[int] = []
    add = protected._reporter.add
    protected._reporter.add = lambda outcome: (statuses.append(outcome.status), add(outcome))[1]  # type: ignore[method-assign]
    try:
        await protected(scope(made.secret, kind), connection.receive, connection.send)
    except (RuntimeError, OSError):
        pass
    finally:
        await protected.aclose()
    (status,) = statuses
    return status, await counted(team, made.key.id)


def sending(*messages: Any) -> Any:
    """An app that sends the given messages, raises given exceptions, and returns."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return app


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([START, LAST], 200),
        ([START | {"status": 399}, MORE, LAST], 399),
        ([START | {"status": 400}, LAST], 400),
        ([RuntimeError()], 500),
        ([START, RuntimeError()], 500),
        ([START, MORE, RuntimeError()], 500),
        ([START, LAST, RuntimeError()], 200),
        ([START, {"type": "http.response.pathsend", "path": "/x"}], 200),
        ([], 500),
    ],
)
async def test_an_answer_is_counted_by_its_status_and_an_exception_before_its_end_as_500(
    team: Team, upstream: Upstream, messages: list[Any], status: int
) -> None:
    expected = (1, 0) if status < 400 else (0, 1)
    assert await after(team, upstream, sending(*messages), Connection()) == (status, expected)


async def test_a_caller_that_disconnects_before_the_answer_is_counted_as_failed(team: Team, upstream: Upstream) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"
        raise RuntimeError("what frameworks do then")

    async def returns(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    for app in (waits, returns):
        connection = Connection()
        connection.disconnect()
        assert await after(team, upstream, app, connection) == (499, (0, 1))


async def test_a_caller_that_disconnects_during_the_answer_is_counted_with_its_status(team: Team, upstream: Upstream) -> None:
    connection = Connection()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        connection.broken = True
        await send(MORE)

    assert await after(team, upstream, app, connection) == (200, (1, 0))


async def test_a_request_that_the_server_cancels_is_counted(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    running = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        running.set()
        await asyncio.Event().wait()

    protected, connection = protect(app, upstream, permissions=ALL), Connection()
    task = asyncio.create_task(protected(scope(made.secret), connection.receive, connection.send))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await protected.aclose()
    assert await counted(team, made.key.id) == (0, 1)


async def test_streams_files_and_work_after_the_answer_are_each_one_request(team: Team, upstream: Upstream, tmp_path: Any) -> None:
    made = await make_key(team)
    file = tmp_path / "a.txt"
    file.write_text("a file")

    async def parts() -> Any:
        for part in ("a ", "stream"):
            yield part

    async def broken_stream() -> Any:
        yield "half"
        raise RuntimeError("the rest is lost")

    def break_down() -> None:
        raise RuntimeError("after the answer")

    async def answer(request: Request) -> Any:
        match request.path_params["what"]:
            case "stream":
                return StreamingResponse(parts())
            case "broken":
                return StreamingResponse(broken_stream())
            case "file":
                return FileResponse(file)
            case _:
                return PlainTextResponse("first", background=BackgroundTask(break_down))

    app = protect(Starlette(routes=[Route("/{what}", answer)]), upstream, permissions=ALL)
    async with caller(app, made.secret) as api:
        assert [(await api.get(path)).text for path in ("/stream", "/file", "/work")] == ["a stream", "a file", "first"]
        await api.get("/broken")
    await app.aclose()
    assert await counted(team, made.key.id) == (3, 1)


async def test_work_after_the_answer_does_not_delay_its_report(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    release = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        await release.wait()

    protected, connection = protect(app, upstream, permissions=ALL), Connection()
    task = asyncio.create_task(protected(scope(made.secret), connection.receive, connection.send))
    while LAST not in connection.sent:
        await asyncio.sleep(0)
    await protected.aclose()
    assert await counted(team, made.key.id) == (1, 0)
    release.set()
    await task


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([{"type": "websocket.accept"}, {"type": "websocket.close"}], 101),
        ([{"type": "websocket.accept"}, RuntimeError()], 101),
        ([{"type": "websocket.close"}], 403),
        ([{"type": "websocket.http.response.start", "status": 404}, {"type": "websocket.http.response.body"}], 404),
        ([RuntimeError()], 500),
    ],
)
async def test_a_websocket_is_counted_once_by_how_its_handshake_ends(
    team: Team, upstream: Upstream, messages: list[Any], status: int
) -> None:
    expected = (1, 0) if status < 400 else (0, 1)
    assert await after(team, upstream, sending(*messages), Connection(), "websocket") == (status, expected)


async def test_a_websocket_without_a_key_is_refused_before_its_handshake(upstream: Upstream) -> None:
    protected, connection = protect(sending(AssertionError()), upstream, permissions=ALL), Connection()
    await protected(scope(None, "websocket"), connection.receive, connection.send)
    assert connection.sent == [{"type": "websocket.close", "code": 1008, "reason": "KEY_MISSING"}]
    connection.sent.clear()
    await protected(scope(None, "websocket", extensions={"websocket.http.response": {}}), connection.receive, connection.send)
    start, body = connection.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert body["type"] == "websocket.http.response.body" and b"KEY_MISSING" in body["body"]
    connection.sent.clear()
    await protected(scope("x", "websocket", path="//"), connection.receive, connection.send)
    assert connection.sent[0]["reason"] == "ROUTE_CLOSED"
    assert upstream.asked == []


async def test_websockets_of_the_frameworks_know_their_key(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)

    async def starlette_live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(KeydeskKey.of(socket).id)
        await socket.close()

    @litestar.websocket("/7")
    async def litestar_live(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(KeydeskKey.of(socket).id)
        await socket.close()

    for app in (Starlette(routes=[WebSocketRoute("/7", starlette_live)]), litestar.Litestar([litestar_live], openapi_config=None)):
        connection = Connection({"type": "websocket.connect"})
        protected = protect(app, upstream, permissions=ALL)
        await protected(scope(made.secret, "websocket", **SOCKET), connection.receive, connection.send)
        await protected.aclose()
        assert connection.sent[1]["text"] == made.key.id
    assert await counted(team, made.key.id) == (2, 0)


async def test_an_unknown_scope_type_reaches_nothing(upstream: Upstream) -> None:
    protected, connection = protect(sending(START, LAST), upstream, permissions=ALL), Connection()
    with pytest.raises(RuntimeError, match="webtransport"):
        await protected(scope("x", "webtransport"), connection.receive, connection.send)
    assert connection.sent == []


async def test_outer_middleware_does_not_see_the_key(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    outside: dict[str, Any] = scope(made.secret)
    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.append(scope["keydesk"])
        await sending(START, LAST)(scope, receive, send)

    protected, connection = protect(app, upstream, permissions=ALL), Connection()
    await protected(outside, connection.receive, connection.send)
    await protected.aclose()
    assert inside[0].id == made.key.id
    assert "keydesk" not in outside
    assert str(made.secret) not in repr(inside)


async def test_reading_the_key_of_a_request_without_one_raises_lookup_error() -> None:
    with pytest.raises(LookupError):
        KeydeskKey.of({"type": "http"})


async def test_when_too_many_outcomes_are_queued_requests_are_refused_instead_of_losing_one(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    protected = protect(sending(START, LAST), upstream, permissions=ALL)
    protected._reporter._capacity = 0
    connection = Connection()
    await protected(scope(made.secret), connection.receive, connection.send)
    assert (connection.sent[0]["status"], dict(connection.sent[0]["headers"])[b"retry-after"]) == (503, b"5")
    assert upstream.asked == []
