"""How much throughput verification keeps while others fetch pages, poll health and metrics, or watch rotations live."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any

from bench import report
from bench.launch import RunningServer, running
from bench.load import Route, post, request
from bench.sample import PERMISSION

KEYS = 1_000
FETCHERS, STREAMS = 20, 119
WORKSPACES, STREAMS_OF_SESSION = 6, 5
ALONE = "/v1/verify alone"
FETCHED = ("/sign-in", "/metrics", "/readyz", "/livez")


def routes(server: RunningServer) -> list[Route]:
    """The same verifications each time, beside different other load."""
    bearer = {"Authorization": f"Bearer {server.sample.gateway_token}"}
    verifications = [post("/v1/verify", bearer, {"key": key, "permission": PERMISSION}) for key in server.sample.keys]
    address, tokens = server.sample.watched[0]
    pages = {f"{FETCHERS} × {path}": request("GET", path, {}) for path in FETCHED}
    pages[f"{FETCHERS} × a rotation with 150 callers"] = request("GET", address, _cookie(tokens[0]))
    fetchers = server.load(FETCHERS)
    found = [Route(ALONE, verifications)]
    for name, page in pages.items():
        found.append(Route(f"beside {name}", verifications, beside=functools.partial(fetchers.meanwhile, Route(name, [page]))))
    return [*found, Route(f"beside {STREAMS} live pages", verifications, beside=functools.partial(watching, server))]


@contextlib.contextmanager
def watching(server: RunningServer) -> Iterator[None]:
    """Holds STREAMS live pages open, each of which has begun to answer."""
    with contextlib.ExitStack() as stack:
        seats = [
            (address, token) for address, tokens in server.sample.watched for token in tokens for _ in range(STREAMS_OF_SESSION)
        ]
        for address, token in seats[:STREAMS]:
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
            one.sendall(request("GET", f"{address}/events", _cookie(token)))
            if not one.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                raise SystemExit("A live page was refused.")
        yield


def _cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"keydesk-session={token}"}


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS, WORKSPACES) as server:
        # Every tenth key is invalid; its verification is still answered with 200.
        found = server.load(connections).interleaved(routes(server), rounds, seconds)
        names = [route.name for route in routes(server)[1:]]
    return report.Report(dict.fromkeys(names, ALONE), dict.fromkeys(names, 0.8)).of(database, found)


def main() -> None:
    report.run(str(__doc__), measure, rounds=3, seconds=3, connections=32)
