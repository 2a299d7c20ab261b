"""Hands a secret to a command on its stdin: no argument and no variable holds it, and what is printed of it is blotted."""

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

from app.cli.remote import KEY

BLOTTED: Final = b"[secret]"
# After SIGTERM, so that the command can put back what it has half done.
GRACE_SECONDS: Final = 10.0
_CHUNK: Final = 65_536


async def hand_over(secret: str, command: str, stop: asyncio.Event, limit_seconds: float) -> int | None:
    """Runs a shell command with the secret as the one line on its stdin; all that it prints goes to stderr.

    Its exit code (negative: ended by that signal), or None if `stop` or the limit came first: then it is ended, with all
    that it has started.
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
        # What it left running may hold its output open for ever.
        await asyncio.to_thread(printing.join, 1.0)
        return await ended if in_time else None


class Veil:
    """Lets output through as it comes and keeps back only what may become the secret."""

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
    # The management key could do more than the command has to, and scripts print their variables.
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
    """A pipe takes so much at once, whether the command reads it or not."""
    with cast("IO[bytes]", process.stdin) as stdin:
        stdin.write(secret.encode() + b"\n")


def _print(process: subprocess.Popen[bytes], secret: str) -> None:
    veil, out = Veil(secret.encode()), cast("IO[bytes]", process.stdout).fileno()
    while chunk := os.read(out, _CHUNK):
        _say(veil.let_through(chunk))
    _say(veil.rest())


def _say(text: bytes) -> None:
    """Straight to the descriptor: a thread that holds the stream's lock when the process ends would take it down."""
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(sys.stderr.fileno(), text) :]


async def _end(process: subprocess.Popen[bytes], ended: asyncio.Task[int]) -> None:
    _signal(process, kill=False)
    await asyncio.wait({ended}, timeout=GRACE_SECONDS)
    _signal(process, kill=True)
    await asyncio.wait({ended})


def _signal(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    """To the command and all that it has started."""
    if sys.platform == "win32":
        process.kill() if kill else process.terminate()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
