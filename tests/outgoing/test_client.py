"""One POST: to a checked address, without redirects, with limits."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outgoing import client
from app.outgoing.client import Response, Unanswered, post
from app.outgoing.url import Rules, Target, parse
from tests.support.receiver import Receiver, answer

LOCAL = Rules((ipaddress.ip_network("127.0.0.0/8"),), plain=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.running() as found:
        yield found


async def send(receiver: Receiver, rules: Rules = LOCAL, *, host: str = "127.0.0.1", headers: dict[str, str] | None = None,
               addresses: list[str] | None = None, path: str = "/hook?a=b") -> Response:  # fmt: skip
    asked: list[str] = []

    async def resolver(name: str, port: int) -> list[str]:
        asked.append(name)
        # A name server that answers differently the second time.
        return (addresses or ["127.0.0.1"]) if len(asked) == 1 else ["10.0.0.1"]

    target = parse(f"http://{host}:{receiver.port}{path}", Rules(rules.networks, plain=True))
    return await post(target, headers or {}, b'{"a":1}', rules, resolver=resolver)


async def test_a_request_arrives_as_it_was_given_with_the_hosts_name(receiver: Receiver) -> None:
    response = await send(receiver, host="hooks.example", headers={"X-One": "1"})
    assert (response.status, response.body, response.is_success) == (200, b"ok", True)
    (got,) = receiver.received
    assert (got.line, got.body) == ("POST /hook?a=b HTTP/1.1", b'{"a":1}')
    assert (got.headers["host"], got.headers["x-one"]) == (f"hooks.example:{receiver.port}", "1")


async def test_an_address_that_is_not_allowed_gets_nothing(receiver: Receiver) -> None:
    for addresses in (["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"], ["::ffff:127.0.0.1"]):
        with pytest.raises(Unanswered, match="not a public one"):
            await send(receiver, Rules(plain=True), host="hooks.example", addresses=addresses)
    assert receiver.received == []


async def test_the_name_is_resolved_once_so_that_the_checked_address_is_the_used_one(receiver: Receiver) -> None:
    assert (await send(receiver, host="rebinding.example")).status == 200


async def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    for status in (301, 302, 303, 307, 308):
        receiver.answers.append(answer(status, b"", f"Location: {receiver.url}/elsewhere"))
        response = await send(receiver)
        assert (response.status, response.is_success) == (status, False)
    assert len(receiver.received) == 5


@pytest.mark.parametrize("header", [{"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"X": "\x00"}, {"X:Y": "b"}, {"X": "ü"}])
async def test_a_header_cannot_begin_another_line(receiver: Receiver, header: dict[str, str]) -> None:
    with pytest.raises(Unanswered):
        await send(receiver, headers=header)
    assert receiver.received == []


async def test_of_a_long_response_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.always = answer(200, b"x" * 5_000_000)
    assert (await send(receiver)).body == b"x" * client.MOST_BODY_BYTES
    receiver.always = b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 5_000_000
    assert (await send(receiver)).body == b"y" * client.MOST_BODY_BYTES
    receiver.always = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
    assert (await send(receiver)).body == b"hello world"


async def test_a_body_that_never_ends_changes_nothing_about_the_status(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BODY_SECONDS", 0.05)
    receiver.always = b"HTTP/1.1 204 No Content\r\nContent-Length: 99\r\n\r\nbegun"
    response = await send(receiver)
    assert (response.status, response.body) == (204, b"begun")


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"hello\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 999 X\r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"X" * 100_000,
     b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 9],
)  # fmt: skip
async def test_a_response_that_is_not_http_is_no_response(receiver: Receiver, nonsense: bytes) -> None:
    receiver.always = nonsense
    with pytest.raises(Unanswered):
        await send(receiver)


async def test_interim_responses_are_skipped_and_a_pause_is_understood(receiver: Receiver) -> None:
    receiver.always = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(503, b"", "Retry-After: 120")
    response = await send(receiver)
    assert (response.status, response.retry_after_seconds) == (503, 120)
    receiver.always = answer(503, b"", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT")
    assert (await send(receiver)).retry_after_seconds is None


async def test_a_silent_receiver_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.1)
    receiver.open.clear()
    with pytest.raises(Unanswered, match="no response within"):
        await send(receiver)


async def test_what_cannot_be_reached_is_no_response(receiver: Receiver) -> None:
    with pytest.raises(Unanswered, match="connection failed"):
        await post(Target(False, "127.0.0.1", 1, "/"), {}, b"", LOCAL)
    with pytest.raises(Unanswered):
        await post(Target(False, "no-such-host.invalid", 80, "/"), {}, b"", LOCAL)


async def test_the_certificate_has_to_be_valid_for_the_hosts_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hooks.example",
               "-addext", "subjectAltName=DNS:hooks.example", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    receiver = Receiver()
    receiver.open.set()
    server = await asyncio.start_server(receiver._talk, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]

    async def resolver(name: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def status(host: str) -> int:
        return (await post(Target(True, host, port, "/"), {}, b"", LOCAL, resolver=resolver)).status

    async with server:
        with pytest.raises(Unanswered, match="certificate"):
            await status("hooks.example")
        monkeypatch.setattr(client, "_trust", lambda: trusting)
        assert await status("hooks.example") == 200
        with pytest.raises(Unanswered, match="certificate"):
            await status("other.example")
    with contextlib.suppress(Exception):
        await server.wait_closed()
    assert len(receiver.received) == 1
