"""What a verification costs with a thousand to a million keys, and with thousands of live callers.

Every database is asked for the same number of its keys, chosen at random, so that only its size differs. CPU per request is
compared with a bare ASGI function of the same server, in interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any, Final

from bench.launch import RunningServer, running
from bench.load import Figures, Route, request
from bench.sample import PERMISSION
from bench.scale.picture import drawn

FORWARD, BARE = "/v1/forward-auth", "bare ASGI function"
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
ASKED: Final = 1_000
CALLERS: Final = 5_000
_QUERY: Final = f"?permission={PERMISSION}"


def requests(server: RunningServer, path: str, callers: int) -> list[bytes]:
    """With ASKED keys, and with addresses from as many networks as there are to be callers."""
    chosen = random.Random(1).sample(server.sample.keys, ASKED)
    token = server.sample.gateway_token
    return [
        request(
            "GET",
            path + _QUERY,
            {
                "X-Gateway-Token": token,
                "X-API-Key": chosen[number % ASKED],
                "X-Forwarded-For": f"10.{number % callers // 250}.{number % callers % 250}.9",
            },
        )
        for number in range(max(ASKED, callers))
    ]


def measure(database: str, keys: int, callers: int, given: argparse.Namespace) -> dict[str, Any]:
    with running(database, keys) as server:
        routes = [
            Route(FORWARD, requests(server, FORWARD, callers), refused=0.1),
            Route(BARE, requests(server, "/baseline/bare", callers)),
        ]
        found = server.load(given.connections).interleaved(routes, given.rounds, given.seconds)
    ours, bare = (Figures.median(found[name]) for name in (FORWARD, BARE))
    cpu, floor = ours.cpu or 0.0, bare.cpu or 1.0
    return {"keys": keys, "callers": callers, "cpu": round(cpu, 1), "floor": round(floor, 1), "rate": round(ours.rate)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--draw", type=Path, metavar="SVG", help="also draw the figures")
    given = parser.parse_args()
    print(f"{given.database}\n{'keys':>10}{'callers':>9}{'cpu µs':>9}{'bare µs':>9}{'× bare':>9}{'req/s':>9}", flush=True)
    results = []
    for keys, callers in [*((size, 1) for size in given.sizes), (10_000, CALLERS)]:
        found = measure(given.database, keys, callers, given)
        results.append(found)
        ratio = found["cpu"] / found["floor"]
        print(
            f"{keys:>10,}{callers:>9,}{found['cpu']:>9.1f}{found['floor']:>9.1f}{ratio:>9.2f}{found['rate']:>9,}",
            flush=True,
        )
    if given.draw:
        given.draw.write_text(drawn(results[:-1], given.database))
    print(json.dumps(results))
