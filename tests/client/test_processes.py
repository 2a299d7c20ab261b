"""Real processes on both sides: Keydesk and the API that it protects, each on granian, stopped and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.client.conftest import counted
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.processes import ROOT

KEYDESK = """
import asyncio, os, sys
from granian.server.embed import Server
from app import start
from app.settings import Settings
from app.verification.routes import Verification
from tests.support.time_limits import extend_until_exit

async def main():
    extend_until_exit()
    settings = Settings.load(os.environ)
    async with start.opened(settings):
        verification = Verification(settings)
        await verification.open()
        await Server(verification, port=int(sys.argv[1]), interface="asginl").serve()

asyncio.run(main())
"""
PATIENT = """
import os
from keydesk_client import KeydeskMiddleware

async def wait(scope, receive, send):
    assert scope["type"] == "http"
    print("reached", flush=True)
    while (await receive())["type"] != "http.disconnect":
        pass
    print("left", flush=True)

app = KeydeskMiddleware(
    wait, url=os.environ["KEYDESK_URL"], token=os.environ["KEYDESK_GATEWAY_TOKEN"], permissions={"GET /": "pdf.read"}
)
"""
ORDER = {"title": "A page", "lines": ["of text"]}


class Process:
    """A server whose output a test can wait for."""

    def __init__(self, *arguments: str, environment: dict[str, str], cwd: Path = ROOT) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # including the workers it starts
        )
        self.said = ""

    def answers_at(self, port: int) -> bool:
        """Whether it listens already; AssertionError if it has exited."""
        if self._process.poll() is not None:
            raise AssertionError(self._process.communicate()[0])
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", port)) == 0

    def wait_for(self, text: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"it ended without {text!r}:\n{self.said}")

    def end(self, how: signal.Signals) -> int:
        """Stops it and returns its exit code."""
        self._process.send_signal(how)
        self.said += self._process.communicate(timeout=60)[0]
        return self._process.returncode

    def kill(self) -> None:
        """Kills all its remaining processes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Site:
    """A Keydesk and an API, each on a port of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._keydesk_port, self._api_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._api_port}"
        self._running: list[Process] = []

    def keydesk(self) -> Process:
        return self._started(self._keydesk_port, "-c", KEYDESK, str(self._keydesk_port), environment=self._environment)

    def api(self, *arguments: str, cwd: Path = ROOT) -> Process:
        environment = {
            "KEYDESK_URL": f"http://127.0.0.1:{self._keydesk_port}",
            "KEYDESK_GATEWAY_TOKEN": GATEWAY_TOKEN,
            "PDF_API_PORT": str(self._api_port),
        }
        return self._started(self._api_port, *(arguments or ("-m", "examples.pdf_api")), environment=environment, cwd=cwd)

    def app(self, folder: Path, source: str) -> Process:
        """Another application, served by granian's command line."""
        (folder / "patient.py").write_text(source)
        return self.api("-m", "granian", "--interface", "asgi", "--port", str(self._api_port), "patient:app", cwd=folder)

    def _started(self, port: int, *arguments: str, environment: dict[str, str], cwd: Path = ROOT) -> Process:
        process = Process(*arguments, environment=environment, cwd=cwd)
        self._running.append(process)
        while not process.answers_at(port):
            time.sleep(0.02)
        return process

    def close(self) -> None:
        for process in self._running:
            process.kill()


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[Site]:
    with contextlib.closing(Site(environment)) as place:
        yield place


async def test_nothing_is_lost_when_the_api_is_stopped_right_after_its_last_answer(team: Team, site: Site) -> None:
    made = await make_key(team, permissions=("pdf.generate",))
    site.keydesk()
    api = site.api()
    with httpx.Client(base_url=site.url, headers={"x-api-key": str(made.secret)}) as client:
        created = [client.post("/pdfs", json=ORDER) for _ in range(20)]
        denied = client.get("/templates")
    assert api.end(signal.SIGTERM) == 0
    assert [answer.status_code for answer in created] == [201] * 20
    assert (denied.status_code, denied.json()["missingPermission"]) == (403, "template.read")
    assert await counted(team, made.key.id) == (20, 1)
    assert str(made.secret) not in api.said and GATEWAY_TOKEN not in api.said


async def test_keydesk_killed_and_started_again_costs_refusals_and_no_count(team: Team, site: Site) -> None:
    made = await make_key(team)
    keydesk, api = site.keydesk(), site.api()
    with httpx.Client(base_url=site.url, headers={"x-api-key": str(made.secret)}) as client:
        before = [client.post("/pdfs", json=ORDER).status_code for _ in range(5)]
        keydesk.kill()
        away = client.post("/pdfs", json=ORDER)
        site.keydesk()
        after = [client.post("/pdfs", json=ORDER).status_code for _ in range(5)]
    assert api.end(signal.SIGTERM) == 0
    assert (before, away.status_code, after) == ([201] * 5, 503, [201] * 5)
    assert "retry-after" in away.headers
    assert await counted(team, made.key.id) == (10, 0)


async def test_a_caller_that_disconnects_from_a_real_server_is_counted(team: Team, site: Site, tmp_path: Path) -> None:
    made = await make_key(team)
    site.keydesk()
    api = site.app(tmp_path, PATIENT)
    with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as line:
        line.sendall(f"GET / HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {made.secret}\r\n\r\n".encode())
        api.wait_for("reached")
    api.wait_for("left")
    assert api.end(signal.SIGTERM) == 0
    assert await counted(team, made.key.id) == (0, 1)


async def test_the_example_refuses_to_start_without_a_token_and_says_what_to_do() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
    ended = subprocess.run(
        [sys.executable, "-m", "examples.pdf_api"], cwd=ROOT, env=kept, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == "KEYDESK_GATEWAY_TOKEN is missing; `keydesk gateway-token create pdf-api` prints one."
