"""A server with a database of its own for one run of a benchmark, gone afterwards."""

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
_START_SECONDS = 120


@dataclass(frozen=True)
class Place:
    """Where the server listens, what it holds, and a folder for whoever asks it."""

    port: int
    process: int
    sample: Sample
    folder: Path

    def load(self, connections: int) -> Load:
        return Load(self.port, self.process, self.folder, connections)

    def counted(self) -> int:
        """Requests that the database has counted."""
        return int(self.ask(request("GET", "/yardstick/counted", {})))

    def ask(self, asked: bytes) -> bytes:
        """The body of the answer to a complete request."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(asked)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.read()


@contextlib.contextmanager
def running(database: str, keys: int, watched: int = 0) -> Iterator[Place]:
    """SQLite in a real file with synchronous=FULL, or the PostgreSQL of the development requirements with its fsync on."""
    cores.use(cores.LOAD)
    with tempfile.TemporaryDirectory(prefix="keydesk-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite:///{folder}/keydesk.db"
        if database == "postgres":
            url = stack.enter_context(Postgres.running()).new_database()
        yield stack.enter_context(_served(url, folder, keys, watched))


@contextlib.contextmanager
def _served(url: str, folder: Path, keys: int, watched: int) -> Iterator[Place]:
    port, file = _free_port(), folder / "sample.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
    own = {
        "KEYDESK_DATABASE_URL": url,
        "KEYDESK_PEPPER": secrets.token_urlsafe(48),
        "KEYDESK_REVOCATION_JOURNAL": str(folder / "revocations.jsonl"),
        "KEYDESK_PORT": str(port),
        "KEYDESK_PUBLIC_URL": f"http://{HOST}",
        "KEYDESK_DEV": "1",
    }
    command = [sys.executable, "-m", "bench.server", str(keys), str(file), str(watched)]
    process = subprocess.Popen(command, cwd=ROOT, env=kept | own)
    try:
        _wait(process, file, port)
        yield Place(port, process.pid, Sample(**json.loads(file.read_text())), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def _wait(process: subprocess.Popen[bytes], file: Path, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
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
