"""The examples of `deploy/gateways` in front of a real node and an API, if nginx and Caddy are installed on this machine."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.processes import ROOT
from tests.support.server import Server, free_port

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "deploy" / "gateways"
PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "POST"}
ALLOWED = {"access-control-allow-origin": "https://shop.example"}
# System packages, which the development requirements cannot include.
NGINX, CADDY = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("caddy") or "/usr/bin/caddy"
KNOWN = [
    pytest.param(name, marks=pytest.mark.skipif(not Path(path).exists(), reason=f"{name} is not installed"))
    for name, path in (("nginx", NGINX), ("caddy", CADDY))
]


class Api(http.server.BaseHTTPRequestHandler):
    """Answers every request, and preflights by its own CORS policy."""

    seen: list[tuple[str, str, str | None]]

    def do(self) -> None:
        self.seen.append((self.command, self.path, self.headers["X-Key-Id"]))
        self.send_response(204)
        for name, value in ALLOWED.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST = do_OPTIONS = do  # noqa: N815  # the names that its base class looks for

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Front:
    """A gateway, and the requests that the API behind it received: method, path, and key id."""

    url: str
    seen: list[tuple[str, str, str | None]]


@pytest.fixture
def api() -> Iterator[tuple[int, list[tuple[str, str, str | None]]]]:
    handler = type("Own", (Api,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, handler.seen
    server.shutdown()
    server.server_close()


@pytest.fixture
def front(
    request: pytest.FixtureRequest,
    environment: dict[str, str],
    db: None,
    tmp_path: Path,
    api: tuple[int, list[tuple[str, str, str | None]]],
) -> Iterator[Front]:
    """The gateway that the test names, with the ports of this test instead of the example's."""
    port, seen = api
    with Server(environment, tmp_path, patient=True).running() as node, contextlib.ExitStack() as stack:
        own = free_port()
        ports = {"127.0.0.1:8000": f"127.0.0.1:{node.port}", "127.0.0.1:8100": f"127.0.0.1:{port}"}
        command = STARTS[request.param](tmp_path, own, ports)
        log = stack.enter_context((tmp_path / "gateway.log").open("wb"))
        variables = os.environ | {"KEYDESK_GATEWAY_TOKEN": GATEWAY_TOKEN, "HOME": str(tmp_path)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        _wait(f"http://127.0.0.1:{own}/nowhere", process, tmp_path / "gateway.log")
        yield Front(f"http://127.0.0.1:{own}", seen)


def nginx(folder: Path, port: int, ports: dict[str, str]) -> list[str]:
    token = folder / "token.conf"
    token.write_text(f"proxy_set_header X-Gateway-Token {GATEWAY_TOKEN};\n")
    listen = {"listen 80;": f"listen 127.0.0.1:{port};", "/etc/nginx/keydesk-token.conf": str(token)}
    site = _changed("nginx.conf", ports | listen)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    main = folder / "main.conf"
    main.write_text(f"pid {folder}/nginx.pid; events {{}} http {{ access_log off; {places}\n{site}\n}}\n")
    return [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main), "-g", "daemon off;"]


def caddy(folder: Path, port: int, ports: dict[str, str]) -> list[str]:
    file = folder / "Caddyfile"
    site = _changed("Caddyfile", ports | {"\n:80 {": f"\nhttp://127.0.0.1:{port} {{"})
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]


STARTS: dict[str, Callable[[Path, int, dict[str, str]], list[str]]] = {"nginx": nginx, "caddy": caddy}


def _changed(name: str, changes: dict[str, str]) -> str:
    text = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=10).status_code == 404:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("front", KNOWN, indirect=True)
async def test_a_preflight_reaches_the_api_and_nothing_else_does_without_a_key(front: Front, team: Team) -> None:
    made = await make_key(team)
    with httpx.Client(base_url=front.url) as browser:
        for path in ("/pdfs", "/pdfs/1", "/templates/letter"):
            answer = browser.options(path, headers=PREFLIGHT)
            assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (204, "https://shop.example")
        assert front.seen == [("OPTIONS", path, None) for path in ("/pdfs", "/pdfs/1", "/templates/letter")]
        front.seen.clear()
        assert browser.options("/pdfs").status_code in (404, 405)
        assert browser.options("/pdfs", headers={"origin": "https://shop.example"}).status_code in (404, 405)
        assert browser.options("/elsewhere", headers=PREFLIGHT).status_code == 404
        assert browser.post("/pdfs", headers=PREFLIGHT).status_code == 401
        assert front.seen == []
        claimed = {"x-api-key": made.secret or "", "x-key-id": "key_of_somebody"}
        assert browser.post("/pdfs", headers=claimed).status_code == 204
        assert browser.options("/pdfs", headers=PREFLIGHT | claimed).status_code == 204
        assert front.seen == [("POST", "/pdfs", made.key.id), ("OPTIONS", "/pdfs", None)]


@pytest.mark.parametrize("front", KNOWN, indirect=True)
async def test_more_headers_than_keydesk_accepts_are_a_431_without_retry_after(front: Front, team: Team) -> None:
    made = await make_key(team)
    many = {f"x-{number}": "1" for number in range(120)}
    answer = httpx.post(f"{front.url}/pdfs", headers=many | {"x-api-key": made.secret or ""})
    assert (answer.status_code, answer.headers.get("retry-after")) == (431, None)
    assert front.seen == []
