"""A process beside this one, and the pair of sockets between the two."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from app.errors import StartRefused

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("keydesk.workers")

# What a process does with its seat.
Work = Callable[["Seat"], None]


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's number, from 1 on, its side of the pair, and its socket of the port."""

    number: int
    pair: socket.socket
    listener: socket.socket | None

    def announce(self, text: str = "") -> None:
        """Says that it listens, or what it has prepared."""
        with contextlib.suppress(OSError):  # the parent has died
            self.pair.sendall(b"\n" + text.encode())

    def refuse(self, why: str) -> None:
        """Ends the whole server with this reason, once this process has ended."""
        with contextlib.suppress(OSError):
            self.pair.sendall(why.encode())

    def signals(self) -> asyncio.Queue[signal.Signals]:
        """The signals for this worker. A terminal or a service manager may send one to all processes: it arrives twice, here and
        from the parent, and counts once. If the parent dies, that is one too."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[signal.Signals]()
        counts: Counter[str] = Counter()

        def note(source: str, number: int) -> None:
            before = max(counts.values(), default=0)
            counts[source] += 1
            if counts[source] > before:
                queue.put_nowait(signal.Signals(number))

        def read() -> None:
            try:
                sent = self.pair.recv(64)
            except ConnectionError:  # it died before it read that this worker listens
                sent = b""
            for number in sent:
                note("parent", number)
            if not sent:
                _log.error("the parent has died: stopping")
                loop.remove_reader(self.pair)
                queue.put_nowait(signal.SIGINT)

        for number in SIGNALS:
            loop.add_signal_handler(number, note, "own", number)
        loop.add_reader(self.pair, read)
        return queue


@dataclass(slots=True)
class Worker:
    """The parent's side; `failures` in a row came before it."""

    number: int
    pid: int
    pair: socket.socket
    failures: int
    began: float = field(default_factory=time.monotonic)
    said: bytes = b""


def once(work: Work) -> str:
    """Does this in a process of its own, and returns what it announces. Raises StartRefused with the reason if it refuses."""
    worker, said = fork(0, 0, work), b""
    while sent := worker.pair.recv(65_536):
        said += sent
    code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
    if code or not said.startswith(b"\n"):
        raise StartRefused(said.decode().strip() or f"The start ended with code {code}; the lines above may say why.")
    return said[1:].decode()


def fork(
    number: int, failures: int, work: Work, listener: socket.socket | None = None, others: Iterable[socket.socket] = ()
) -> Worker:
    """Starts a process that does this work; in it, the `others` are closed."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    # A signal that came before the child has handlers of its own would be reported to the parent.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if not pid:
        for each in (ours, *others):
            each.close()
        _become(Seat(number, theirs, listener), work)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    theirs.close()
    return Worker(number, pid, ours, failures)


def _become(seat: Seat, work: Work) -> NoReturn:
    """Never returns into the parent's code, whose blocks would be left a second time."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Ctrl-C reaches the parent too, which passes it on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        work(seat)
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        _log.exception("worker %d failed", seat.number)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
