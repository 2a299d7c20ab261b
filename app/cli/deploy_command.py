"""Passes a secret to a command's stdin: no argument or variable contains it, and the output is redacted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Final, cast

from app.cli.graphql_client import KEY

BLOTTED: Final = b"[secret]"
# The time after SIGTERM in which the command can roll back what it has half done.
GRACE_SECONDS: Final = 10.0
_CHUNK: Final = 65_536


async def hand_over(secret: str, command: str, stop: asyncio.Event, limit_seconds: float) -> int | None:
    """Runs a shell command with the secret as the only line on its stdin; all its output goes to stderr.

    Returns its exit code (negative: killed by that signal), or None if `stop` or the limit came first: then the command
    and all its child processes are terminated.
    """
    with _started(command) as process:
        with contextlib.suppress(BrokenPipeError):
            _feed(process, secret)
        printing = threading.Thread(target=_print, args=(process, secret), daemon=True)
        printing.start()
        ended = asyncio.create_task(asyncio.to_thread(process.wait))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, timeout=max(limit_seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        in_time = ended.done()
        if not in_time:
            await _end(process, ended)
        # A process that it left running may hold its output open indefinitely.
        await asyncio.to_thread(printing.join, 1.0)
        return await ended if in_time else None


class StreamRedactor:
    """Passes output through as it arrives and holds back only what may be the beginning of the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret, self._kept = secret, b""

    def let_through(self, chunk: bytes) -> bytes:
        text = (self._kept + chunk).replace(self._secret, BLOTTED)
        lengths = range(min(len(self._secret) - 1, len(text)), 0, -1)
        size = next((length for length in lengths if text.endswith(self._secret[:length])), 0)
        self._kept = text[len(text) - size :]
        return text[: len(text) - size]

    def rest(self) -> bytes:
        return self._kept


@contextlib.contextmanager
def _started(command: str) -> Iterator[subprocess.Popen[bytes]]:
    # The management key allows more than the command needs, and scripts may print their environment.
    variables = {name: value for name, value in os.environ.items() if name != KEY}
    process = subprocess.Popen(  # noqa: S602 - a shell command is what is asked for
        command,
        shell=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _signal(process, kill=True)


def _feed(process: subprocess.Popen[bytes], secret: str) -> None:
    """One write: a secret fits into a pipe's buffer, whether the command reads it or not."""
    with cast("IO[bytes]", process.stdin) as stdin:
        stdin.write(secret.encode() + b"\n")


def _print(process: subprocess.Popen[bytes], secret: str) -> None:
    redactor, out = StreamRedactor(secret.encode()), cast("IO[bytes]", process.stdout).fileno()
    while chunk := os.read(out, _CHUNK):
        _say(redactor.let_through(chunk))
    _say(redactor.rest())


def _say(text: bytes) -> None:
    """Writes directly to the descriptor: a thread that holds the stream's lock at exit would crash the interpreter."""
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(sys.stderr.fileno(), text) :]


async def _end(process: subprocess.Popen[bytes], ended: asyncio.Task[int]) -> None:
    _signal(process, kill=False)
    await asyncio.wait({ended}, timeout=GRACE_SECONDS)
    _signal(process, kill=True)
    await asyncio.wait({ended})


def _signal(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    """Sends a signal to the command's process group."""
    if sys.platform == "win32":
        process.kill() if kill else process.terminate()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
