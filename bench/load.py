"""Generates load with wrk: one thread, several connections, requests from a file. Returns the measurements as data."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import randrange
from typing import Any

SCRIPT = Path(__file__).with_name("load.lua")
# Long enough for SQLite's write-ahead log to reach its final size: while the file grows, every commit costs twice as much.
WARM_UP_SECONDS = 3
_ENDLESS_SECONDS = 3_600
HOST = "keydesk.test"


@dataclass(frozen=True)
class Route:
    """`requests` are complete HTTP requests; `refused` is the share of them whose answer must not be a 2xx;
    `beside` runs other load during the measurement."""

    name: str
    requests: list[bytes]
    refused: float = 0.0
    beside: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


@dataclass(frozen=True)
class Figures:
    """Requests per second, latencies in milliseconds, and the server's CPU in microseconds per request (None if unknown)."""

    rate: float
    p50: float
    p99: float
    cpu: float | None = None

    @classmethod
    def median(cls, rounds: list[Figures]) -> Figures:
        cpu = [one.cpu for one in rounds if one.cpu is not None]
        middle = [statistics.median(getattr(one, name) for one in rounds) for name in ("rate", "p50", "p99")]
        return cls(*middle, statistics.median(cpu) if cpu else None)


class Load:
    """Runs wrk against one server. Raises SystemExit with installation instructions if wrk is missing."""

    def __init__(self, port: int, server: int, folder: Path, connections: int) -> None:
        self._wrk = shutil.which("wrk")
        if self._wrk is None:
            raise SystemExit("The benchmarks need wrk. On Debian: apt-get install wrk; on a Mac: brew install wrk")
        self._url, self._server = f"http://127.0.0.1:{port}/", server
        self._folder, self._connections = folder, connections

    def interleaved(self, routes: list[Route], rounds: int, seconds: int) -> dict[str, list[Figures]]:
        """Measures every route once per round, each round in another order, after a warm-up of all routes."""
        for route in routes:
            self._run(route, WARM_UP_SECONDS)
        found: dict[str, list[Figures]] = {route.name: [] for route in routes}
        for number in range(rounds):
            for offset in range(len(routes)):
                route = routes[(number + offset) % len(routes)]
                with route.beside():
                    found[route.name].append(self._run(route, seconds))
        return found

    def _run(self, route: Route, seconds: int) -> Figures:
        command = self._command(route, seconds)
        before = _cpu_seconds(self._server)
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = _cpu_seconds(self._server) - before
        result = _checked(route, json.loads(output.rpartition("RESULT ")[2]))
        cpu = used / result["requests"] * 1e6 if used and result["requests"] else None
        return Figures(result["requests"] / result["seconds"], result["p50"], result["p99"], cpu)

    @contextlib.contextmanager
    def meanwhile(self, route: Route) -> Iterator[None]:
        """Sends these requests on separate connections until the context exits, without measuring them."""
        with subprocess.Popen(self._command(route, _ENDLESS_SECONDS), stdout=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.terminate()

    def _command(self, route: Route, seconds: int) -> list[str]:
        file = self._folder / f"{route.name.replace(' ', '-').replace('/', '_')}.requests"
        if not file.exists():
            file.write_bytes(b"".join(request + b"\0" for request in route.requests))
        options = ["-t1", f"-c{self._connections}", f"-d{seconds}s", "--latency", "-s", str(SCRIPT), self._url]
        return [str(self._wrk), *options, "--", str(file), str(randrange(1 << 20))]


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A complete HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post(path: str, headers: dict[str, str], content: Any) -> bytes:
    return request("POST", path, headers, json.dumps(content, separators=(",", ":")).encode())


def _cpu_seconds(process: int) -> float:
    """The CPU time that a process has used so far; 0 on systems without /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _checked(route: Route, result: dict[str, Any]) -> dict[str, Any]:
    """Raises SystemExit if unexpected refusals or errors make the measurement invalid."""
    share = result["refused"] / max(1, result["requests"])
    if result["broken"] or abs(share - route.refused) > 0.03:
        raise SystemExit(f"{route.name}: {share:.1%} refused where {route.refused:.0%} should be, {result['broken']} broken")
    return result
