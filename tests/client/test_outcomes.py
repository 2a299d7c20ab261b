"""However a request ends, it is counted once, with the status it ended with."""

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


class Line:
    """A server's side of one request: gives the messages it was given, then waits; keeps what it gets."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self._inbox.put_nowait(message)
        self.said: list[Any] = []
        self.broken = False

    async def receive(self) -> dict[str, Any]:
        return await self._inbox.get()

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("the client is gone")
        self.said.append(message)

    def hang_up(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})


def scope(key: str | None, kind: str = "http", **more: Any) -> dict[str, Any]:
    headers = [(b"x-api-key", (key or "").encode())]
    method = {"method": "GET"} if kind == "http" else {}
    return {"type": kind, "path": "/7", "headers": headers, "client": ("203.0.113.9", 1), **method, **more}


async def after(
    team: Team, upstream: Upstream, app: Any, line: Line, kind: str = "http", **more: Any
) -> tuple[int, tuple[int, int]]:
    """What was reported of one request to the app, and what its key's owner then sees."""
    made = await make_key(team)
    door = protect(app, upstream, permissions=ALL)
    statuses: list[int] = []
    add = door._reporter.add
    door._reporter.add = lambda outcome: (statuses.append(outcome.status), add(outcome))[1]  # type: ignore[method-assign]
    try:
        await door(scope(made.secret, kind), line.receive, line.send)
    except (RuntimeError, OSError):
        pass
    finally:
        await door.aclose()
    (status,) = statuses
    return status, await counted(team, made.key.id)


def sending(*messages: Any) -> Any:
    """An app that sends these, raises those that are exceptions, and returns."""

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
    assert await after(team, upstream, sending(*messages), Line()) == (status, expected)


async def test_a_caller_who_hangs_up_before_the_answer_is_counted_as_failed(team: Team, upstream: Upstream) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"
        raise RuntimeError("what frameworks do then")

    async def returns(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    for app in (waits, returns):
        line = Line()
        line.hang_up()
        assert await after(team, upstream, app, line) == (499, (0, 1))


async def test_a_caller_who_hangs_up_during_the_answer_leaves_its_status(team: Team, upstream: Upstream) -> None:
    line = Line()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        line.broken = True
        await send(MORE)

    assert await after(team, upstream, app, line) == (200, (1, 0))


async def test_a_request_that_the_server_cancels_is_counted(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    running = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        running.set()
        await asyncio.Event().wait()

    door, line = protect(app, upstream, permissions=ALL), Line()
    task = asyncio.create_task(door(scope(made.secret), line.receive, line.send))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await door.aclose()
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


async def test_what_comes_after_the_answer_does_not_delay_its_report(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    release = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        await release.wait()

    door, line = protect(app, upstream, permissions=ALL), Line()
    task = asyncio.create_task(door(scope(made.secret), line.receive, line.send))
    while LAST not in line.said:
        await asyncio.sleep(0)
    await door.aclose()
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
    assert await after(team, upstream, sending(*messages), Line(), "websocket") == (status, expected)


async def test_a_websocket_without_a_key_is_refused_before_its_handshake(upstream: Upstream) -> None:
    door, line = protect(sending(AssertionError()), upstream, permissions=ALL), Line()
    await door(scope(None, "websocket"), line.receive, line.send)
    assert line.said == [{"type": "websocket.close", "code": 1008, "reason": "KEY_MISSING"}]
    line.said.clear()
    await door(scope(None, "websocket", extensions={"websocket.http.response": {}}), line.receive, line.send)
    start, body = line.said
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert body["type"] == "websocket.http.response.body" and b"KEY_MISSING" in body["body"]
    line.said.clear()
    await door(scope("x", "websocket", path="//"), line.receive, line.send)
    assert line.said[0]["reason"] == "ROUTE_CLOSED"
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
        line = Line({"type": "websocket.connect"})
        door = protect(app, upstream, permissions=ALL)
        await door(scope(made.secret, "websocket", **SOCKET), line.receive, line.send)
        await door.aclose()
        assert line.said[1]["text"] == made.key.id
    assert await counted(team, made.key.id) == (2, 0)


async def test_a_kind_of_request_that_cannot_be_checked_reaches_nothing(upstream: Upstream) -> None:
    door, line = protect(sending(START, LAST), upstream, permissions=ALL), Line()
    with pytest.raises(RuntimeError, match="webtransport"):
        await door(scope("x", "webtransport"), line.receive, line.send)
    assert line.said == []


async def test_the_scope_around_the_door_does_not_learn_the_key(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    outside: dict[str, Any] = scope(made.secret)
    inside: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inside.append(scope["keydesk"])
        await sending(START, LAST)(scope, receive, send)

    door, line = protect(app, upstream, permissions=ALL), Line()
    await door(outside, line.receive, line.send)
    await door.aclose()
    assert inside[0].id == made.key.id
    assert "keydesk" not in outside
    assert str(made.secret) not in repr(inside)


async def test_a_key_is_told_missing_where_there_is_none() -> None:
    with pytest.raises(LookupError):
        KeydeskKey.of({"type": "http"})


async def test_when_too_many_outcomes_wait_the_door_closes_instead_of_losing_one(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    door = protect(sending(START, LAST), upstream, permissions=ALL)
    door._reporter._capacity = 0
    line = Line()
    await door(scope(made.secret), line.receive, line.send)
    assert (line.said[0]["status"], dict(line.said[0]["headers"])[b"retry-after"]) == (503, b"5")
    assert upstream.asked == []
