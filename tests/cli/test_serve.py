"""The life of a node: the set-up link, the port, and every way in which it can exit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.usage import service as usage
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, KIND, Team, make_key
from tests.support.access import at
from tests.support.http import Gateway
from tests.support.processes import ROOT
from tests.support.server import Server, free_port

Start = Callable[..., Server]
HEAD = b"POST /v1/verify HTTP/1.1\r\nHost: keydesk\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"


@pytest.fixture
def start(environment: dict[str, str], db: None, tmp_path: Path) -> Iterator[Start]:
    """Starts nodes with these variables; those that still run at the end are killed."""
    with contextlib.ExitStack() as stack:

        def start(*, ready: bool = True, **variables: str) -> Server:
            server = Server(environment | variables, tmp_path)
            stack.callback(server.kill)
            return server.start(ready=ready)

        yield start


@contextlib.asynccontextmanager
async def half_sent(node: Server, body: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A verification that the node has begun to read and whose last byte has not been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    try:
        writer.write(HEAD % GATEWAY_TOKEN.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
        await writer.drain()
        # Connections are accepted in order: if a later one is answered, ours was accepted.
        assert (await asyncio.to_thread(httpx.get, f"{node.url}/livez")).status_code == 200
        yield reader, writer
    finally:
        writer.close()


async def ended(node: Server, number: signal.Signals) -> int:
    """Its exit code after this signal."""
    assert node.process is not None
    node.process.send_signal(number)
    return await asyncio.to_thread(node.process.wait, 120)


def printed(node: Server) -> str:
    return node.log.read_text()


def test_it_prints_its_address_and_the_set_up_link_for_the_first_owner(start: Start, keydesk: Keydesk) -> None:
    node = start()
    assert f"Keydesk listens on {node.url}\n" in printed(node)
    assert "Development: cookies travel over plain http" in printed(node)
    assert httpx.get(node.set_up_link()).status_code == 200
    keydesk(
        "create-owner",
        "--email",
        "ann@example.org",
        "--name",
        "Ann",
        "--workspace",
        "Acme",
        stdin="a long horse story in four parts",
    )
    assert "/set-up/" not in printed(start())


def test_a_link_of_an_earlier_start_is_invalid(start: Start) -> None:
    first = start()
    link = first.set_up_link().replace(first.url, "")
    second = start()
    assert httpx.get(second.url + link).status_code != 200
    assert httpx.get(second.set_up_link()).status_code == 200


def test_json_says_the_same_in_one_object(keydesk: Keydesk) -> None:
    port = free_port()
    away = keydesk.under(KEYDESK_PORT=str(port), KEYDESK_PUBLIC_URL="https://keys.example.com", KEYDESK_DEV="0")
    with subprocess.Popen(away.command("serve", "--json"), cwd=ROOT, env=away.variables, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        said = json.loads(node.stdout.readline())
        # By then the port is open.
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
        node.send_signal(signal.SIGINT)
        assert (node.wait(30), node.stdout.read()) == (0, "")
    assert re.fullmatch(r"https://keys\.example\.com/set-up/[\w-]{43}", said.pop("setUpLink"))
    assert said == {"listening": f"http://127.0.0.1:{port}", "url": "https://keys.example.com", "dev": False}


def test_localhost_is_accepted_as_host(start: Start) -> None:
    node = start(KEYDESK_HOST="localhost")
    assert f"Keydesk listens on http://localhost:{node.port}\n" in printed(node)


def test_a_taken_port_is_named(keydesk: Keydesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = keydesk.under(KEYDESK_PORT=str(port)).refused("serve")
    assert said == f"Keydesk cannot listen on 127.0.0.1 port {port}: Address already in use. See KEYDESK_HOST and KEYDESK_PORT."


async def test_on_sigterm_it_turns_readyz_off_answers_and_exits_with_0(start: Start, team: Team) -> None:
    # Long enough for three requests on a busy machine.
    node = start(KEYDESK_DRAIN_SECONDS="5")
    body = json.dumps({"key": (await make_key(team)).secret}).encode()
    async with half_sent(node, body) as (reader, writer):
        ending = asyncio.create_task(ended(node, signal.SIGTERM))
        # On a busy machine a check of the database may take too long, which would be a second fault.
        while list((ready := await asyncio.to_thread(httpx.get, f"{node.url}/readyz")).json()["faults"]) != ["node"]:
            pass
        assert (ready.status_code, ready.json()["faults"]) == (503, {"node": "stopping"})
        assert (await asyncio.to_thread(httpx.get, f"{node.url}/livez")).status_code == 200
        writer.write(body[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert await ending == 0


async def test_a_second_signal_ends_the_draining(start: Start) -> None:
    node = start(KEYDESK_DRAIN_SECONDS="300")
    assert node.process is not None
    node.process.send_signal(signal.SIGTERM)
    while "answering for another 300 s" not in printed(node):
        await asyncio.sleep(0.02)
    assert await ended(node, signal.SIGTERM) == 0


async def test_ctrl_c_skips_the_draining_and_requests_in_progress_are_still_answered(start: Start, team: Team) -> None:
    node = start(KEYDESK_DRAIN_SECONDS="300")
    body = json.dumps({"key": (await make_key(team)).secret}).encode()
    async with half_sent(node, body) as (reader, writer):
        ending = asyncio.create_task(ended(node, signal.SIGINT))
        while await _reachable(node):
            await asyncio.sleep(0.02)
        writer.write(body[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert await ending == 0


@pytest.mark.parametrize("part", [b'{"key": "never the rest', b""])
async def test_a_client_that_never_completes_its_request_cannot_prevent_the_exit(start: Start, part: bytes) -> None:
    node = start()
    async with half_sent(node, part + b'"}') if part else _silent(node):
        assert await ended(node, signal.SIGINT) == 0
    assert "Traceback" not in printed(node)


@contextlib.asynccontextmanager
async def _silent(node: Server) -> AsyncIterator[None]:
    """A connection that never sends a request."""
    _, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHo")
    assert (await asyncio.to_thread(httpx.get, f"{node.url}/livez")).status_code == 200
    yield
    writer.close()


async def test_killed_and_started_again_on_the_same_port_it_knows_everything_that_was_answered(start: Start, team: Team) -> None:
    node = start()
    created = await make_key(team)
    undecided = 0
    for again in (False, True):
        if again:
            node.kill()
            node.start()
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
            assert (await gateway.verdict(created.secret or "")).json()["code"] == "VALID"
            undecided += gateway.undecided
    assert node.stop() == 0
    # An undecided verification was counted or not.
    assert 2 <= (await usage.of_key(*await at(team.owner, created.key.id))).counts.total <= 2 + undecided


async def _reachable(node: Server) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.close()
        return True
    return False


def test_the_log_holds_neither_link_nor_token_at_debug(start: Start) -> None:
    node = start(KEYDESK_LOG_LEVEL="DEBUG")
    link = node.set_up_link()
    httpx.get(link)
    httpx.post(f"{node.url}/v1/verify", json={"key": "x"}, headers={"authorization": f"Bearer {GATEWAY_TOKEN}"})
    assert node.stop() == 0
    lines = [line for line in printed(node).splitlines() if line.startswith("{")]
    assert lines
    assert not [line for line in lines if link.rpartition("/")[2] in line or GATEWAY_TOKEN in line]


@pytest.mark.slow
@pytest.mark.skipif(KIND != "sqlite", reason="PostgreSQL is for several nodes")
async def test_a_second_server_on_a_file_says_so_and_commands_and_a_successor_do_not(
    start: Start, keydesk: Keydesk, team: Team
) -> None:
    first = start()
    second = start()
    assert "another server uses" not in first.log.read_text()
    # Printed right after the port is open, and flushed with the next output.
    assert second.stop() == 0
    assert len(re.findall(rf"^Warning: another server uses \S+ already \(process {first.pid}\)\. .+$", printed(second), re.M)) == 1
    done = keydesk.run("set-plan", team.slug, "scale")
    assert (done.returncode, "another server" in done.stderr) == (0, False)
    first.kill()
    third = start()
    assert third.stop() == 0
    assert "another server uses" not in third.log.read_text()
