"""What all commands share: opening the database, printing results, and the one place where errors become messages.

A command is an async function that takes its options and returns a `Result`. Its result goes to stdout, with `--json` as one
JSON value; all other output goes to stderr. A refusal is one line on stderr and exit code 1; click answers wrong usage with 2.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click

from app import logs, start
from app.access.actor import Actor
from app.errors import KeydeskError, Unavailable, ValidationFailed
from app.settings import Settings

OPERATOR: Final = Actor.operator()


@dataclass(frozen=True, slots=True)
class Result:
    """A command's result. `--json` prints `data`; without it `lines` go to stdout. `notes` go to stderr first, in both cases."""

    data: Any
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    exit_code: int = 0


class CommandGroup(click.Group):
    """A group that lists its commands in the order of their declaration and prints each refusal in one line.

    `on_demand`: commands by name, each with its module and its name there. The module is imported when the command is used, so that
    no command waits for the imports of the others.
    """

    def __init__(self, *given: Any, on_demand: Mapping[str, tuple[str, str]] = MappingProxyType({}), **named: Any) -> None:
        super().__init__(*given, **named)
        self._on_demand = on_demand

    def list_commands(self, context: click.Context) -> list[str]:
        return [*self.commands, *self._on_demand]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._on_demand:
            return super().get_command(context, name)
        module, attribute = self._on_demand[name]
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (KeydeskError, OSError) as error:
            # Click handles a reader that closes the pipe early, as in `keydesk schema | head`.
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            raise click.ClickException(error_line(error)) from error


def command(name: str, *, make: bool = False) -> Callable[[Callable[..., Awaitable[Result]]], click.Command]:
    """Turns an async function into a command; its docstring is the help, click's decorators below this one declare its parameters.

    `make`: creates the database if there is none; without it, the command refuses to run.
    """

    def decorate(function: Callable[..., Awaitable[Result]]) -> click.Command:
        @functools.wraps(function)
        def run(*, as_json: bool, **options: Any) -> None:
            emit(asyncio.run(opened(lambda: function(**options), make)), as_json)

        return with_json(click.command(name)(run))

    return decorate


def with_json(made: click.Command) -> click.Command:
    """The command with `--json`, as its last option."""
    made.params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON value."))
    return made


def emit(result: Result, as_json: bool) -> None:
    """Prints the result and, if it is a failure, exits with its code."""
    for note in result.notes:
        click.echo(note, err=True)
    for line in (json.dumps(result.data, ensure_ascii=False),) if as_json else result.lines:
        click.echo(line)
    if result.exit_code:
        sys.exit(result.exit_code)


def error_line(error: KeydeskError | OSError) -> str:
    """An error in one line; operators also see the internal message, which otherwise goes to the log."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    text = " ".join(fault.message for fault in error.fields) if isinstance(error, ValidationFailed) else error.message
    if isinstance(error, Unavailable) and error.internal:
        text = f"The database cannot be asked: {error.internal}"
    return " ".join(logs.redacted(text).split())


def columns(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> tuple[str, ...]:
    """Rows as lines with aligned columns; no rows give no lines, not even the headings."""
    table = [*([headings] if headings and rows else []), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)


def settings() -> Settings:
    """The settings from the environment. Raises StartRefused."""
    return Settings.load(os.environ)


def secret(prompt: str, *, confirm: bool = False) -> str:
    """Reads a secret from a line of stdin or a hidden prompt: never from an argument, which every process can read."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"{prompt}: expected as one line on stdin.")
    return line


def leaked(prompt: str) -> bytes:
    """Reads all bytes of stdin, or from a hidden prompt as `secret` does."""
    if sys.stdin.isatty():
        return secret(prompt).encode()
    raw = sys.stdin.buffer.read()
    if not raw.strip(b" \t\r\n\0"):
        raise click.UsageError(f"{prompt}: expected on stdin.")
    return raw


async def opened(work: Callable[[], Awaitable[Result]], make: bool) -> Result:
    """The result of work on the open database."""
    logs.set_up("WARNING")
    async with start.opened(settings(), make=make):
        return await work()
