"""How fast `/v1/forward-auth` and `/v1/verify` are, counting included, beside routes of the same server that do nothing."""

from __future__ import annotations

from typing import Any

from bench import report
from bench.load import Route, post, request
from bench.place import Place, running
from bench.sample import PERMISSION

KEYS = 10_000
FORWARD, VERIFY = "/v1/forward-auth", "/v1/verify"
GET, POST, BARE = "Litestar GET that does nothing", "Litestar POST that does nothing", "bare ASGI function"
AGAINST = {FORWARD: GET, VERIFY: POST, BARE: GET}
TARGETS = {"sqlite": {FORWARD: 1.0, VERIFY: 1.0}, "postgres": {FORWARD: 0.6, VERIFY: 0.7}}


def routes(place: Place) -> list[Route]:
    """Every route gets the same requests as the one it is compared with."""
    token, query = place.sample.gateway_token, f"?permission={PERMISSION}"
    by_header = [{"X-Gateway-Token": token, "X-API-Key": key, "X-Forwarded-For": "203.0.113.9"} for key in place.sample.keys]
    bearer = {"Authorization": f"Bearer {token}"}
    bodies = [{"key": key, "permission": PERMISSION, "ip": "203.0.113.9", "userAgent": "curl/8.5"} for key in place.sample.keys]
    return [
        Route(FORWARD, [request("GET", FORWARD + query, headers) for headers in by_header], refused=0.1),
        Route(GET, [request("GET", "/yardstick/get" + query, headers) for headers in by_header]),
        Route(VERIFY, [post(VERIFY, bearer, body) for body in bodies]),
        Route(POST, [post("/yardstick/post", bearer, body) for body in bodies]),
        Route(BARE, [request("GET", "/yardstick/bare" + query, headers) for headers in by_header]),
    ]


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS) as place:
        found = place.load(connections).interleaved(routes(place), rounds, seconds)
        counted = place.counted()
    return report.Report(AGAINST, TARGETS[database]).of(database, found) | {"counted": counted}


def main() -> None:
    report.run(str(__doc__), measure, rounds=7, seconds=3, connections=32)
