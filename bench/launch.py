"""Starts a server with a temporary database for one run of a benchmark."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import cores
from bench.load import HOST, Load, request
from bench.sample import Sample
from tests.support.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
DATABASES = ("sqlite", "postgres")
# And for filling the database.
_START_SECONDS = 120
_KEYS_A_SECOND = 2_000


@dataclass(frozen=True)
class RunningServer:
    """A running server: its port and process, its sample data, and a temporary folder for the load generator."""

    port: int
    process: int
    sample: Sample
    folder: Path

    def load(self, connections: int) -> Load:
        return Load(self.port, self.process, self.folder, connections)

    def counted(self) -> int:
        """The number of requests that the database has counted."""
        return int(self.send(request("GET", "/baseline/counted", {})))

    def send(self, raw_request: bytes) -> bytes:
        """Sends a complete HTTP request and returns the body of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(raw_request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.read()


@contextlib.contextmanager
def running(database: str, keys: int, watched: int = 0) -> Iterator[RunningServer]:
    """Runs on SQLite in a real file with synchronous=FULL, or on the PostgreSQL of the development requirements with fsync on."""
    cores.pin_to(cores.LOAD)
    with installed(database) as (folder, variables):
        yield from _served(variables, folder, keys, watched)


@contextlib.contextmanager
def installed(database: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """A temporary folder, and the KEYDESK_* variables of an installation in it or on a new PostgreSQL; both end with the block."""
    with tempfile.TemporaryDirectory(prefix="keydesk-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite:///{folder}/keydesk.db"
        if database == "postgres":
            url = stack.enter_context(Postgres.running()).new_database()
        yield (
            folder,
            {
                "KEYDESK_DATABASE_URL": url,
                "KEYDESK_PEPPER": secrets.token_urlsafe(48),
                "KEYDESK_REVOCATION_JOURNAL": str(folder / "revocations.jsonl"),
                "KEYDESK_PORT": str(_free_port()),
                "KEYDESK_PUBLIC_URL": f"http://{HOST}",
                "KEYDESK_DEV": "1",
            },
        )


def without_settings() -> dict[str, str]:
    """This process's environment without the settings of any Keydesk."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}


def _served(variables: dict[str, str], folder: Path, keys: int, watched: int) -> Iterator[RunningServer]:
    port, file = int(variables["KEYDESK_PORT"]), folder / "sample.json"
    command = [sys.executable, "-m", "bench.server", str(keys), str(file), str(watched)]
    process = subprocess.Popen(command, cwd=ROOT, env=without_settings() | variables)
    try:
        _wait(process, file, port, _START_SECONDS + keys / _KEYS_A_SECOND)
        yield RunningServer(port, process.pid, Sample(**json.loads(file.read_text())), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def _wait(process: subprocess.Popen[bytes], file: Path, port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
        time.sleep(0.05)
    raise SystemExit("The server under load did not start.")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
