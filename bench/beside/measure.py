"""What verification keeps of its pace while others fetch pages, ask for health and metrics, or watch rotations live."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any

from bench import report
from bench.load import Route, post, request
from bench.place import Place, running
from bench.sample import PERMISSION

KEYS = 1_000
FETCHERS, STREAMS = 20, 119
WORKSPACES, STREAMS_OF_SESSION = 6, 5
ALONE = "/v1/verify alone"
FETCHED = ("/sign-in", "/metrics", "/readyz", "/livez")


def routes(place: Place) -> list[Route]:
    """The same requests each time; only what goes on beside them differs."""
    bearer = {"Authorization": f"Bearer {place.sample.gateway_token}"}
    asked = [post("/v1/verify", bearer, {"key": key, "permission": PERMISSION}) for key in place.sample.keys]
    address, tokens = place.sample.watched[0]
    pages = {f"{FETCHERS} × {path}": request("GET", path, {}) for path in FETCHED}
    pages[f"{FETCHERS} × a rotation with 150 callers"] = request("GET", address, _cookie(tokens[0]))
    fetchers = place.load(FETCHERS)
    found = [Route(ALONE, asked)]
    for name, page in pages.items():
        found.append(Route(f"beside {name}", asked, beside=functools.partial(fetchers.meanwhile, Route(name, [page]))))
    return [*found, Route(f"beside {STREAMS} live pages", asked, beside=functools.partial(watching, place))]


@contextlib.contextmanager
def watching(place: Place) -> Iterator[None]:
    """So many live pages, each of which has begun to answer."""
    with contextlib.ExitStack() as stack:
        seats = [
            (address, token) for address, tokens in place.sample.watched for token in tokens for _ in range(STREAMS_OF_SESSION)
        ]
        for address, token in seats[:STREAMS]:
            one = stack.enter_context(socket.create_connection(("127.0.0.1", place.port), 30))
            one.sendall(request("GET", f"{address}/events", _cookie(token)))
            if not one.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                raise SystemExit("A live page was refused.")
        yield


def _cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"keydesk-session={token}"}


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS, WORKSPACES) as place:
        # Every tenth key is no good; a verification of it is one like any other, and is answered with 200.
        found = place.load(connections).interleaved(routes(place), rounds, seconds)
        names = [route.name for route in routes(place)[1:]]
    return report.Report(dict.fromkeys(names, ALONE), dict.fromkeys(names, 0.8)).of(database, found)


def main() -> None:
    report.run(str(__doc__), measure, rounds=3, seconds=3, connections=32)
