"""Runs `keydesk` commands, each in a process of its own that is forked from one that has imported Keydesk already.

Starting Python and importing Keydesk takes most of a command's time, and the tests run more than a thousand commands.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.support.processes import ROOT

# A generous limit, not a guarantee: a busy machine is slow.
COMMAND_SECONDS = 180
# Python reads these when it starts, so a command with others needs a new interpreter.
READ_AT_START = ("PYTHON", "LANG", "LC_", "TZ")


def run(arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs `keydesk` with exactly these environment variables in the project's root; returns its result with any exit code."""
    if _at_start(environment) != _at_start(os.environ):
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        given.write(stdin)
        given.seek(0)
        code = _run_forked(arguments, environment, [given.fileno(), out.fileno(), err.fileno()])
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["keydesk", *arguments], code, out.read(), err.read())


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def _run_forked(arguments: tuple[str, ...], environment: Mapping[str, str], streams: list[int]) -> int:
    """The exit code, negative for a signal. Raises TimeoutExpired."""
    here, there = socket.socketpair()
    with tempfile.TemporaryFile("w+") as request, here, there:
        json.dump([arguments, dict(environment)], request)
        request.seek(0)
        socket.send_fds(_server(), [b"."], [request.fileno(), there.fileno(), *streams])
        there.close()
        with here.makefile() as answers:
            pid = int(answers.readline())
            here.settimeout(COMMAND_SECONDS)
            try:
                return int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["keydesk", *arguments], COMMAND_SECONDS) from None


@cache
def _server() -> socket.socket:
    """The connection to the process that forks; it ends with this one."""
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands", str(there.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
        )
    from tests.support import leftovers  # not at the top: the process that forks runs this module too, and needs no pytest

    leftovers.keep(process.pid)

    def end() -> None:
        here.close()
        process.wait()

    atexit.register(end)
    return here


def _serve(control: socket.socket) -> None:
    """Forks for each request. Returns in the process that is to run the command, and exits in this one at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, files, _, _ = socket.recv_fds(control, 1, 5)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _become(*files)
        for each in files:
            os.close(each)


def _become(request: int, answers: int, *streams: int) -> None:
    """Forks again: the child becomes the command, and this process reports its id and its exit code."""
    if pid := os.fork():
        os.write(answers, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(answers)
    arguments, environment = _read(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["keydesk", *arguments]
    os.environ.clear()
    os.environ.update(environment)


def _read(file: int) -> Any:
    with open(file) as content:
        return json.load(content)


if __name__ == "__main__":
    from app.cli import main

    _serve(socket.socket(fileno=int(sys.argv[1])))
    main(prog_name="keydesk")
