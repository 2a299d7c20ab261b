"""How fast `/v1/forward-auth` and `/v1/verify` are, counting included, compared with routes of the same server that do nothing."""

from __future__ import annotations

from typing import Any

from bench import report
from bench.launch import RunningServer, running
from bench.load import Route, post, request
from bench.sample import PERMISSION

KEYS = 10_000
FORWARD, VERIFY = "/v1/forward-auth", "/v1/verify"
GET, POST, BARE = "Litestar GET that does nothing", "Litestar POST that does nothing", "bare ASGI function"
AGAINST = {FORWARD: GET, VERIFY: POST, BARE: GET}
TARGETS = {"sqlite": {FORWARD: 0.65, VERIFY: 1.2}, "postgres": {FORWARD: 0.6, VERIFY: 1.1}}


def routes(server: RunningServer) -> list[Route]:
    """Every route gets the same requests as the one it is compared with."""
    token, query = server.sample.gateway_token, f"?permission={PERMISSION}"
    by_header = [{"X-Gateway-Token": token, "X-API-Key": key, "X-Forwarded-For": "203.0.113.9"} for key in server.sample.keys]
    bearer = {"Authorization": f"Bearer {token}"}
    bodies = [{"key": key, "permission": PERMISSION, "ip": "203.0.113.9", "userAgent": "curl/8.5"} for key in server.sample.keys]
    return [
        Route(FORWARD, [request("GET", FORWARD + query, headers) for headers in by_header], refused=0.1),
        Route(GET, [request("GET", "/baseline/get" + query, headers) for headers in by_header]),
        Route(VERIFY, [post(VERIFY, bearer, body) for body in bodies]),
        Route(POST, [post("/baseline/post", bearer, body) for body in bodies]),
        Route(BARE, [request("GET", "/baseline/bare" + query, headers) for headers in by_header]),
    ]


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS) as server:
        found = server.load(connections).interleaved(routes(server), rounds, seconds)
        counted = server.counted()
    return report.Report(AGAINST, TARGETS[database], dict.fromkeys((FORWARD, VERIFY, GET, POST), BARE)).of(database, found) | {
        "counted": counted
    }


def main() -> None:
    report.run(str(__doc__), measure, rounds=7, seconds=3, connections=32)
