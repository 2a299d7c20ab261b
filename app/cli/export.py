"""Exports everything as JSON lines."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import click

from app import exporting, whole_file
from app.cli.runner import OPERATOR, Result, command

_STDOUT: Final = "-"


@command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--workspace", "slug", metavar="SLUG", help="Only what belongs to this workspace.")
@click.option("--digests", is_flag=True, help="Also the digests of keys, which are useless without the pepper.")
async def export(file: str, slug: str | None, digests: bool) -> Result:
    """Write everything into FILE, as JSON lines.

    Workspaces, people, keys, rotations, usage by days, alerts and the audit log, as they are at one moment, while the server
    runs; never a secret. FILE has mode 0600, is there whole or not at all, and is never replaced; - is stdout.
    """
    counts: dict[str, int] = {}
    with _opened(file) as out:
        async for piece in exporting.lines(OPERATOR, slug, digests=digests):
            out.write(piece)
            last = piece
        counts = json.loads(last)["lines"]
    return _result(file, counts)


def _result(file: str, counts: dict[str, int]) -> Result:
    if file == _STDOUT:
        return Result(None, ())
    text = f"{file}: {sum(counts.values())} lines, {counts.get('apiKey', 0)} of them API keys."
    return Result({"file": file, "lines": counts}, (text,))


@contextlib.contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file == _STDOUT:
        yield sys.stdout
        return
    with whole_file.written(Path(file)) as half, half.open("w", encoding="utf-8") as out:
        yield out
