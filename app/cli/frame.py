"""What all commands share: the database opened around them, one way to answer, one place where errors become words.

A command is an async function that gets its options and answers a `Said`. Its result goes to stdout, with `--json` as one
JSON value; all other words go to stderr. A refusal is one line on stderr and exit code 1; wrong usage is click's, with 2.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from app import logs, start
from app.access.actor import Actor
from app.errors import KeydeskError, Unavailable, ValidationFailed
from app.settings import Settings

OPERATOR: Final = Actor.operator()


@dataclass(frozen=True, slots=True)
class Said:
    """`data` is what `--json` prints; without it `lines` go to stdout. `notes` go to stderr in both cases, and first."""

    data: Any
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    exit_code: int = 0


class Desk(click.Group):
    """A group whose commands stand in the order in which one needs them, and whose refusals are one line each."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeydeskError as error:
            raise click.ClickException(told(error)) from error
        except OSError as error:
            # A reader that has had enough, as in `keydesk schema | head`, is click's to deal with.
            if error.errno == errno.EPIPE:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


def command(name: str, *, make: bool = False) -> Callable[[Callable[..., Awaitable[Said]]], click.Command]:
    """Makes a command of an async function; its docstring is the help, its parameters are declared by click below this.

    `make`: it makes the database where there is none; else it refuses to run without one.
    """

    def decorate(function: Callable[..., Awaitable[Said]]) -> click.Command:
        @functools.wraps(function)
        def run(*, as_json: bool, **options: Any) -> None:
            say(asyncio.run(_opened(lambda: function(**options), make)), as_json)

        return with_json(click.command(name)(run))

    return decorate


def with_json(made: click.Command) -> click.Command:
    """The command with `--json`, as its last option."""
    made.params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON value."))
    return made


def say(said: Said, as_json: bool) -> None:
    """Says it and, if it is bad news, ends the process."""
    for note in said.notes:
        click.echo(note, err=True)
    for line in (json.dumps(said.data, ensure_ascii=False),) if as_json else said.lines:
        click.echo(line)
    if said.exit_code:
        sys.exit(said.exit_code)


def told(error: KeydeskError) -> str:
    """An error in one line; operators also see the internal message, which otherwise goes to the log."""
    text = " ".join(fault.message for fault in error.fields) if isinstance(error, ValidationFailed) else error.message
    if isinstance(error, Unavailable) and error.internal:
        text = f"The database cannot be asked: {error.internal}"
    return " ".join(logs.blotted(text).split())


def columns(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> tuple[str, ...]:
    """Rows as lines whose columns stand below each other; without rows there is nothing."""
    table = [*([headings] if headings and rows else []), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)


def settings() -> Settings:
    """Raises StartRefused."""
    return Settings.load(os.environ)


def secret(prompt: str, *, confirm: bool = False) -> str:
    """One line of stdin, or what is typed without being shown: never an argument, which every process can read."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"{prompt}: expected as one line on stdin.")
    return line


def leaked(prompt: str) -> bytes:
    """All of stdin as it came, or what is typed as with `secret`."""
    if sys.stdin.isatty():
        return secret(prompt).encode()
    raw = sys.stdin.buffer.read()
    if not raw.strip(b" \t\r\n\0"):
        raise click.UsageError(f"{prompt}: expected on stdin.")
    return raw


async def _opened(work: Callable[[], Awaitable[Said]], make: bool) -> Said:
    logs.set_up("WARNING")
    async with start.opened(settings(), make=make):
        return await work()
