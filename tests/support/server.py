"""A real Keydesk in a separate process, as `keydesk serve` starts it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.processes import ROOT

# A generous limit, not a guarantee: a busy machine starts processes slowly.
READY_WITHIN_SECONDS = 120


@dataclass
class Server:
    """One node. `environment` contains its variables. It logs to a file, so that a full pipe cannot block it."""

    environment: dict[str, str]
    folder: Path
    port: int = 0
    # With longer time limits for verification, so that a busy machine does not answer 503; for tests of something else.
    patient: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.log = self.folder / f"serve-{self.port}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *, ready: bool = True, options: Sequence[str] = ()) -> Server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
        own = {"KEYDESK_PORT": str(self.port), "KEYDESK_DEV": "1", "KEYDESK_DRAIN_SECONDS": "0"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.patient_node" if self.patient else "app", "serve", *options],
                cwd=ROOT,
                env=kept | own | self.environment,
                stdout=log,
                stderr=log,
            )
        if ready:
            self.wait()
        return self

    def wait(self) -> None:
        """Waits until it is ready; fails with its log if it exited or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()[-3000:]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready within {READY_WITHIN_SECONDS} s: {self.log.read_text()[-3000:]}")

    def set_up_link(self) -> str:
        """The set-up link that it printed."""
        found = re.findall(r"https?://\S+/set-up/\S+", self.log.read_text())
        assert found, self.log.read_text()[-3000:]
        return str(found[-1])

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        self.start()
        try:
            yield self
        finally:
            self.kill()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
