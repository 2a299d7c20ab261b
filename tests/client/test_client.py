"""Verifying and reporting without the middleware, and every way in which an answer can fail."""

from __future__ import annotations

import asyncio
import dataclasses
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from keydesk_client import Batch, Keydesk, KeydeskError, KeydeskRefused, KeydeskUnavailable, Outcome, Verdict
from tests.client.conftest import URL, Upstream, counted
from tests.conftest import GATEWAY_TOKEN, Team, make_key

KEY = "fl_live_" + "a" * 38


def keydesk(upstream: httpx.AsyncBaseTransport, **options: Any) -> Keydesk:
    return Keydesk(URL, GATEWAY_TOKEN, transport=upstream, **options)


def answering(status: int, content: bytes = b"", **headers: str) -> httpx.AsyncBaseTransport:
    """A server in Keydesk's place that gives this answer."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})

    return httpx.ASGITransport(app=answer)


async def test_the_verdict_on_a_valid_key_describes_the_key(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    async with keydesk(upstream) as desk:
        verdict = await desk.verify(str(made.secret), permission="pdf.read", environment="production", ip="203.0.113.9")
    assert verdict.valid and verdict.key is not None
    assert (verdict.key.id, verdict.key.workspace, verdict.key.name) == (made.key.id, "acme", "Production server")
    assert verdict.key.allows("pdf.generate") and not verdict.key.allows("pdf.delete")
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_denial_explains_itself(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    async with keydesk(upstream) as desk:
        denied = await desk.verify(str(made.secret), permission="pdf.delete")
        unknown = await desk.verify(KEY)
    assert (denied.valid, denied.code, denied.status, denied.missing_permission) == (False, "PERMISSION_DENIED", 403, "pdf.delete")
    assert (unknown.valid, unknown.code, unknown.status, unknown.key_id) == (False, "MALFORMED", 401, None)


async def test_a_batch_sent_again_counts_once_and_bad_outcomes_are_listed_by_code(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    good = Outcome(key_id=made.key.id, status=201, permission="pdf.generate", ip="203.0.113.9", user_agent="curl/8")
    batch = Batch((good, dataclasses.replace(good, status=500), dataclasses.replace(good, key_id="key_" + "a" * 20)))
    async with keydesk(upstream) as desk:
        upstream.lost_answers = 1
        with pytest.raises(KeydeskUnavailable):
            await desk.report(batch)
        first, again = await desk.report(batch), await desk.report(batch)
    assert first == again
    assert (first.accepted, first.rejected) == (2, ("NOT_FOUND",))
    assert await counted(team, made.key.id) == (1, 1)


VALID = (
    b'{"valid": true, "code": "VALID", "keyId": "k", "workspaceId": "w", "workspace": "a", "name": "n",'
    b' "environment": "e", "permissions": []}'
)


async def test_only_a_complete_verdict_is_valid() -> None:
    async with keydesk(answering(200, VALID)) as desk:
        assert (await desk.verify(KEY)).valid
    async with keydesk(answering(200, b'{"valid": false, "code": "NEW_CODE"}')) as desk:
        assert (await desk.verify(KEY)).status == 401


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"<html>Welcome to our hotel</html>",
        b'{"valid": true}',
        b'{"valid": true, "code": "VALID"}',
        VALID.replace(b'"VALID"', b'"REVOKED"'),
        VALID.replace(b"true", b"false"),
        VALID.replace(b"true", b"1"),
        VALID.replace(b"[]", b'"pdf.read"'),
        VALID.replace(b"[]", b"[1]"),
        VALID.replace(b'"k"', b"null"),
        VALID.replace(b"}", b', "expiresAt": "soon"}'),
        VALID.replace(b"}", b', "expiresAt": 1}'),
        VALID[:-1],
        b"\xff\xfe",
    ],
)
async def test_an_answer_that_is_not_a_verdict_raises_unavailable(content: bytes) -> None:
    async with keydesk(answering(200, content)) as desk:
        with pytest.raises(KeydeskUnavailable):
            await desk.verify(KEY)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"accepted": "1", "rejected": []}', b'{"accepted": 1, "rejected": [1]}'])
async def test_an_answer_that_is_not_a_receipt_leaves_the_batch_to_be_sent_again(content: bytes) -> None:
    async with keydesk(answering(200, content)) as desk:
        with pytest.raises(KeydeskUnavailable):
            await desk.report(Batch(()))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422, 301, 307, 204])
async def test_a_permanent_refusal_raises_refused_and_no_redirect_is_followed(status: int) -> None:
    async with keydesk(answering(status, location="http://elsewhere.test/v1/verify")) as desk:
        with pytest.raises(KeydeskRefused) as refused:
            await desk.verify(KEY)
    assert refused.value.status == status
    assert str(refused.value) == f"keydesk answered {status}"


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7), ("0", 1), ("-1", 1), ("", 1), ("9" * 5_000, 60), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("²", 1)],
)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
async def test_a_temporary_refusal_raises_unavailable_and_says_when_to_retry(status: int, retry_after: str, seconds: int) -> None:
    async with keydesk(answering(status, b"oh", retry_after=retry_after.encode().decode("latin-1"))) as desk:
        with pytest.raises(KeydeskUnavailable) as failed:
            await desk.verify(KEY)
    assert failed.value.retry_after_seconds == seconds


async def test_keydesks_message_is_in_the_error_and_no_secret_is(upstream: Upstream) -> None:
    async with keydesk(upstream) as desk:
        with pytest.raises(KeydeskRefused) as refused:
            await desk.verify(KEY, permission="pdf.fly")
        with pytest.raises(KeydeskRefused) as shaped:
            await desk.verify(KEY, permission=KEY)
    assert str(refused.value) == "keydesk answered 400: UNKNOWN_PERMISSION, There is no permission 'pdf.fly'."
    assert str(shaped.value) == "keydesk answered 400: UNKNOWN_PERMISSION, There is no permission 'fl_live_aaaa'."


async def test_a_bad_gateway_token_is_refused_without_being_shown(upstream: Upstream) -> None:
    token = "fl_gate_" + "b" * 38
    async with Keydesk(URL, token, transport=upstream) as desk:
        with pytest.raises(KeydeskRefused) as refused:
            await desk.verify(KEY)
    assert refused.value.status == 401
    assert token not in repr(refused.value) + repr(desk)


class Silent(httpx.AsyncBaseTransport):
    """Receives the request and calls `then`."""

    def __init__(self, then: Callable[[int], Awaitable[httpx.Response]]) -> None:
        self._then, self.asked = then, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return await self._then(self.asked)


async def test_an_answer_that_never_comes_times_out() -> None:
    async def never(_: int) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with keydesk(Silent(never), timeout_seconds=0.01) as desk:
        with pytest.raises(KeydeskUnavailable, match=r"no answer from keydesk \(TimeoutError\)"):
            await desk.verify(KEY)


async def test_a_keep_alive_connection_that_was_closed_is_replaced_once() -> None:
    async def first_dead(asked: int) -> httpx.Response:
        if asked == 1:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(200, content=VALID)

    async def all_dead(_: int) -> httpx.Response:
        raise httpx.ReadError("")

    async with keydesk(line := Silent(first_dead)) as desk:
        assert (await desk.verify(KEY)).valid
    assert line.asked == 2
    async with keydesk(line := Silent(all_dead)) as desk:
        with pytest.raises(KeydeskUnavailable):
            await desk.verify(KEY)
    assert line.asked == 2


async def test_a_failure_contains_neither_key_nor_token_however_it_is_printed() -> None:
    async def break_down(_: int) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value b'Bearer {GATEWAY_TOKEN}' {KEY}")

    async with keydesk(Silent(break_down)) as desk:
        with pytest.raises(KeydeskError) as failed:
            await desk.verify(KEY)
    assert failed.value.__context__ is None
    printed = "".join(traceback.format_exception(failed.value, chain=True))
    assert KEY not in printed and GATEWAY_TOKEN not in printed


@pytest.mark.parametrize("text", ["k\ud800", "", "\x00", "🗝" * 1000])
async def test_any_text_can_be_verified(upstream: Upstream, text: str) -> None:
    async with keydesk(upstream) as desk:
        try:
            assert not (await desk.verify(text)).valid
        except KeydeskRefused as refused:
            assert refused.status == 400


async def test_the_proxies_of_the_environment_get_neither_key_nor_token(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
    async with server, Keydesk("http://127.0.0.1:1", GATEWAY_TOKEN) as desk:
        with pytest.raises(KeydeskUnavailable):
            await desk.verify(KEY)
    assert seen == []


NOWHERE = ["", "keydesk", "ftp://keydesk.test", "http://", "http://keydesk.test:99999", "http://[::1", None]
TOO_MUCH = ["http://u:p@keydesk.test", "https://keydesk.test/?a=b", "https://keydesk.test/#a"]


@pytest.mark.parametrize("url", NOWHERE + TOO_MUCH)
def test_an_invalid_url_is_refused_at_construction(url: Any) -> None:
    with pytest.raises(ValueError, match="url"):
        Keydesk(url, GATEWAY_TOKEN)


@pytest.mark.parametrize("token", ["", "  ", "a\nb", "tøken", None])
def test_an_invalid_token_is_refused_without_being_shown(token: Any) -> None:
    with pytest.raises(ValueError, match="gateway token") as refused:
        Keydesk(URL, token)
    assert not token or not token.strip() or token not in str(refused.value)


async def test_the_url_may_include_a_path() -> None:
    async def where(scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/desk/v1/verify"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": VALID})

    async with Keydesk("https://keys.test/desk/", GATEWAY_TOKEN, transport=httpx.ASGITransport(app=where)) as desk:
        assert (await desk.verify(KEY)).valid


def test_each_event_loop_has_its_own_connections() -> None:
    desk = keydesk(answering(200, VALID))

    async def ask() -> Verdict:
        return await desk.verify(KEY)

    loop = asyncio.new_event_loop()
    other = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(ask()).valid and other.run_until_complete(ask()).valid
    finally:
        loop.close()
        other.close()
