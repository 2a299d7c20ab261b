"""The parent of the workers."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from app.errors import StartRefused
from app.settings import Settings
from app.workers.process import SIGNALS, Work, Worker, fork

# A worker that dies is replaced after the first of these; if the next one also lives less than STEADY_SECONDS, after the second ...
# Connections that the kernel gave to it wait so long.
BACKOFF_SECONDS: Final = (0.1, 0.5, 1, 2)
STEADY_SECONDS: Final = 30
# After draining, a worker needs a few seconds. One that is stuck is killed.
STUCK_SECONDS: Final = 20
_log = logging.getLogger("keydesk.workers")


class Parent:
    """Keeps a worker running for each of these sockets, until a signal."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], work: Work, announce: Callable[[], None]) -> None:
        self._settings, self._listeners, self._work, self._announce = settings, listeners, work, announce
        self._workers: dict[int, Worker] = {}
        # When a dead worker's number is started again, and after how many failures.
        self._due: dict[int, tuple[float, int]] = {}
        self._refusal: str | None = None
        self._announced = False
        # The end of the waiting for workers that stop.
        self._until: float | None = None

    def run(self) -> None:
        """Returns when a signal has ended all workers. Raises StartRefused with the reason of a worker that refused."""
        self._due = dict.fromkeys(range(1, len(self._listeners) + 1), (0.0, 0))
        wake, waker = socket.socketpair()
        for end in (wake, waker):
            end.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        # So that a worker's collections leave the shared memory alone.
        gc.collect()
        gc.freeze()
        while self._until is None or self._workers:
            self._start_due()
            pairs = {worker.pair: worker for worker in self._workers.values()}
            for ready in select.select([wake, *pairs], [], [], self._patience())[0]:
                if ready is wake:
                    self._stop(wake.recv(64))
                else:
                    self._read(pairs[ready])
            self._kill_stuck()
        if self._refusal is not None:
            raise StartRefused(self._refusal)

    def _start_due(self) -> None:
        for number, (due, failures) in list(self._due.items()):
            if self._until is None and due <= time.monotonic():
                del self._due[number]
                listener = self._listeners[number - 1]
                others = [each for each in self._listeners if each is not listener]
                others += [worker.pair for worker in self._workers.values()]
                self._workers[number] = fork(number, failures, self._work, listener, others)

    def _patience(self) -> float | None:
        if self._until is not None:
            return max(0.0, self._until - time.monotonic())
        return max(0.0, min(due for due, _ in self._due.values()) - time.monotonic()) if self._due else None

    def _read(self, worker: Worker) -> None:
        try:
            sent = worker.pair.recv(65_536)
        except ConnectionError:
            sent = b""
        if not sent:
            self._bury(worker)
        elif sent.startswith(b"\n") and not self._announced:
            self._announced = True
            with contextlib.suppress(OSError):  # nobody reads the output any more
                self._announce()
        worker.said += sent.removeprefix(b"\n")

    def _bury(self, worker: Worker) -> None:
        worker.pair.close()
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        del self._workers[worker.number]
        if worker.said:
            self._refusal = self._refusal or worker.said.decode()
            self._stop(bytes([signal.SIGINT]) if self._until is None else b"")
        elif self._until is None:
            failures = worker.failures if time.monotonic() - worker.began < STEADY_SECONDS else 0
            pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
            self._due[worker.number] = (time.monotonic() + pause, failures + 1)
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            _log.error("worker %d (process %d) ended with %s: replaced in %g s", worker.number, worker.pid, how, pause)

    def _stop(self, numbers: bytes) -> None:
        """Passes signals on to all workers. None is started from now on, and the port is closed when the last one closes it."""
        for number in filter(SIGNALS.__contains__, numbers):
            self._until = time.monotonic() + self._settings.drain_seconds + STUCK_SECONDS
            for listener in self._listeners:
                listener.close()
            for worker in self._workers.values():
                with contextlib.suppress(OSError):  # it has ended
                    worker.pair.send(bytes([number]))

    def _kill_stuck(self) -> None:
        if self._until is not None and time.monotonic() > self._until:
            for worker in self._workers.values():
                _log.error("worker %d (process %d) does not end: killed", worker.number, worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
            self._until += STUCK_SECONDS
