"""`keydesk serve` as a process of its own, on an installation that was filled before."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from app import start
from app.settings import Settings
from bench.launch import ROOT, without_settings
from bench.load import HOST

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Node:
    """`began` is the value of `time.perf_counter` when the process was started."""

    port: int
    process: subprocess.Popen[bytes]
    began: float

    def status(self, method: str, path: str, headers: dict[str, str], body: object = None) -> int:
        """The status of one request. Raises OSError where nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"host": HOST, "content-type": "application/json"} | headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def wait_for_verdict(self, token: str, key: str) -> None:
        """Returns with the first verdict."""
        self._wait("POST", "/v1/verify", {"authorization": f"Bearer {token}"}, {"key": key})

    def wait_until_ready(self) -> None:
        """Returns when every part of the node can be used."""
        self._wait("GET", "/readyz", {}, None)

    def _wait(self, method: str, path: str, headers: dict[str, str], body: object) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.status(method, path, headers, body) == 200:
                    return
            time.sleep(_PAUSE_SECONDS)
        raise SystemExit("The node does not answer.")

    def processes(self) -> list[int]:
        """The node's process and its children, the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_seconds(self) -> float:
        """The CPU time of all its processes so far, those that ended included."""
        total = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += sum(map(int, fields[11:15]))
        return total / os.sysconf("SC_CLK_TCK")


async def fill(variables: dict[str, str], filling: Callable[[], Awaitable[T]]) -> T:
    """Makes the installation's database and fills it."""
    async with start.opened(Settings.load(variables), make=True):
        return await filling()


@contextlib.contextmanager
def serving(variables: dict[str, str], folder: Path, *arguments: str) -> Iterator[Node]:
    """A node that is starting; it ends with the block."""
    command = [str(Path(sys.executable).with_name("keydesk")), "serve", *arguments]
    with (folder / "log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=without_settings() | variables, stdout=log, stderr=log)
    try:
        yield Node(int(variables["KEYDESK_PORT"]), process, began)
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
