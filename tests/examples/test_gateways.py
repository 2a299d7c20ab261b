"""The examples of nginx and Caddy in front of a real node and an API, and how its requests ended from the log of nginx."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from app.keys import service as keys
from examples.pdf_api.api import PERMISSIONS
from keydesk_client import PUBLIC
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.processes import ROOT
from tests.support.programs import program
from tests.support.server import Server, free_port
from tests.verification.conftest import counters

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "examples"
PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "POST"}
ALLOWED = {"access-control-allow-origin": "https://shop.example"}
# What the API answers to a path; all others: 204. None: it closes the connection.
STATUSES: dict[str, int | None] = {"/pdfs/missing": 404, "/pdfs/broken": 500, "/pdfs/gone": None}
Seen = list[tuple[str, str, str | None]]


class Api(http.server.BaseHTTPRequestHandler):
    """Answers every request, and preflights by its own CORS policy."""

    seen: Seen

    def do(self) -> None:
        self.seen.append((self.command, self.path, self.headers["X-Key-Id"]))
        status = STATUSES.get(self.path, 204)
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
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
    seen: Seen
    process: subprocess.Popen[bytes]
    folder: Path


@pytest.fixture
def api() -> Iterator[tuple[int, Seen]]:
    handler = type("Own", (Api,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, handler.seen
    server.shutdown()
    server.server_close()


@pytest.fixture
def front(
    request: pytest.FixtureRequest, environment: dict[str, str], db: None, tmp_path: Path, api: tuple[int, Seen]
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
        yield Front(f"http://127.0.0.1:{own}", seen, process, tmp_path)


def nginx(folder: Path, port: int, ports: dict[str, str]) -> list[str]:
    token = folder / "token.conf"
    token.write_text(f"proxy_set_header X-Gateway-Token {GATEWAY_TOKEN};\n")
    own = {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "/etc/nginx/keydesk-token.conf": str(token),
        "/var/log/nginx/": f"{folder}/",
    }
    site = _changed("nginx/nginx.conf", ports | own)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    main = folder / "main.conf"
    main.write_text(f"pid {folder}/nginx.pid; events {{}} http {{ {places}\n{site}\n}}\n")
    return [
        program("nginx", "nginx-light"),
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(main),
        "-g",
        "daemon off;",
    ]


def caddy(folder: Path, port: int, ports: dict[str, str]) -> list[str]:
    file = folder / "Caddyfile"
    site = _changed("caddy/Caddyfile", ports | {"\n:80 {": f"\nhttp://127.0.0.1:{port} {{"})
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]


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


@pytest.mark.parametrize("front", STARTS, indirect=True)
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


@pytest.mark.parametrize("front", STARTS, indirect=True)
async def test_more_headers_than_keydesk_accepts_are_a_431_without_retry_after(front: Front, team: Team) -> None:
    made = await make_key(team)
    many = {f"x-{number}": "1" for number in range(120)}
    answer = httpx.post(f"{front.url}/pdfs", headers=many | {"x-api-key": made.secret or ""})
    assert (answer.status_code, answer.headers.get("retry-after")) == (431, None)
    assert front.seen == []


@pytest.mark.parametrize(
    ("example", "permission"),
    [
        ("nginx/nginx.conf", r"set \$keydesk_permission (\S+);"),
        ("caddy/Caddyfile", r"vars permission (\S+)"),
        ("traefik/traefik.yml", r"\?permission=([a-z.]+)"),
    ],
)
def test_each_example_asks_for_the_permissions_of_the_api_behind_it(example: str, permission: str) -> None:
    assert set(re.findall(permission, (EXAMPLES / example).read_text())) == set(PERMISSIONS.values()) - {PUBLIC}


def test_the_routers_of_traefik_name_only_what_is_declared() -> None:
    declared = yaml.safe_load((EXAMPLES / "traefik" / "traefik.yml").read_text())["http"]
    routers = declared["routers"].values()
    assert {name for router in routers for name in router["middlewares"]} == set(declared["middlewares"])
    assert {router["service"] for router in routers} == set(declared["services"])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("front", ["nginx"], indirect=True)
async def test_how_requests_ended_is_counted_once_from_the_log_of_nginx(
    front: Front, team: Team, environment: dict[str, str]
) -> None:
    made, keydesk, log = await make_key(team), Keydesk(environment), front.folder / "keydesk.log"
    headers = [(b"x-api-key", (made.secret or "").encode()), (b"user-agent", b'caf\xe9 "1"')]
    with httpx.Client(base_url=front.url, headers=headers) as client:
        assert client.post("/pdfs").status_code == 204
        statuses = [client.get(f"/pdfs/{name}").status_code for name in ("1", "2", "missing", "broken", "gone")]
        assert statuses == [204, 204, 404, 500, 502]
        assert [client.get(path).status_code for path in ("/", "/templates", "/nowhere")] == [204, 403, 404]
        assert httpx.get(f"{front.url}/pdfs/1").status_code == 401
        _until(lambda: _lines(log) == 6)  # nginx writes to its log after the answer
        at_once = {(made.key.id, "template.read", "PERMISSION_DENIED"): 1}
        assert await counters() == at_once
        assert (await keys.get(team.owner, made.key.id)).last_used_at is not None
        ended = at_once | {
            (made.key.id, "pdf.generate", "SUCCEEDED"): 1,
            (made.key.id, "pdf.read", "SUCCEEDED"): 2,
            (made.key.id, "pdf.read", "FAILED"): 3,
        }
        for counted in (6, 0):
            (told,) = keydesk.json("usage", "import", "--nginx", str(log))
            assert (told["lines"], told["counted"], told["rejected"], told["complete"]) == (6, counted, 0, True)
            assert await counters() == ended
        old = log.rename(front.folder / "keydesk.log.1")
        front.process.send_signal(signal.SIGUSR1)
        _until(log.exists)
        assert client.get("/pdfs/3").status_code == 204
        # Until its worker opens the new file, nginx writes to the renamed one.
        _until(lambda: _lines(old) + _lines(log) == 7)
    (front.folder / "keydesk.log.2.gz").write_bytes(gzip.compress(old.read_bytes()))
    told = keydesk.json("usage", "import", "--nginx", *map(str, sorted(front.folder.glob("keydesk.log*"))))
    assert (len(told), sum(each["counted"] for each in told)) == (3, 1)
    assert await counters() == ended | {(made.key.id, "pdf.read", "SUCCEEDED"): 3}
    assert "[warn]" not in (front.folder / "error.log").read_text()


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")
