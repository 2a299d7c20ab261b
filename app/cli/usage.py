"""`keydesk usage import`: how requests ended, from the access log of a gateway."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from app.cli.runner import Result, command
from app.usage import access_log, importing
from app.usage.importing import Imported
from app.usage.log_file import LogFile

LINE_SECONDS: Final = 5.0


@command("import")
@click.option("--nginx", is_flag=True, help="The logs are in the format of examples/nginx.")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
async def import_logs(nginx: bool, logs: tuple[Path, ...]) -> Result:
    """Count how the requests in access logs ended.

    Each request is counted once, however often its log is imported, under any name, and compressed by gzip or not. A run that was
    interrupted, even by kill -9, is continued by the next.
    """
    if not nginx:
        raise click.UsageError("Say in which format the logs are: --nginx.")
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(contextlib.closing(LogFile(path))) for path in logs]
        found = [(log.path, await _imported(log)) for log in opened]
    return _result(found)


usage = click.Group("usage", help="Usage: how the requests that were let through ended.", commands=[import_logs])


async def _imported(log: LogFile) -> Imported:
    with _progress(log) as moved:
        return await importing.take(log, moved)


@contextlib.contextmanager
def _progress(log: LogFile) -> Iterator[Any]:
    """Shows how much of the log was read: a bar on a terminal, elsewhere a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines(log).show
        return
    with click.progressbar(length=log.size, label=log.path.name, file=sys.stderr) as bar:
        yield lambda: bar.update(min(log.position, log.size) - bar.pos)


class _Lines:
    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._next = time.monotonic() + LINE_SECONDS

    def show(self) -> None:
        if time.monotonic() > self._next:
            click.echo(f"{self._log.path}: {100 * self._log.position // (self._log.size or 1)}%", err=True)
            self._next = time.monotonic() + LINE_SECONDS


def _result(found: list[tuple[Path, Imported]]) -> Result:
    notes = [f"{path}:{number}: {fault.message}" for path, log in found for number, fault in log.faults.items()]
    strange = [path for path, log in found if log.lines and log.rejected[access_log.INVALID_LINE] == log.lines]
    notes += [f"{path} has no line in the format of examples/nginx." for path in strange]
    lines = tuple(f"{path}: {_summary(log)}" for path, log in found)
    return Result([_data(path, log) for path, log in found], lines, tuple(notes), exit_code=1 if strange else 0)


def _summary(log: Imported) -> str:
    parts = [f"{log.succeeded + log.failed:,} counted ({log.succeeded:,} successful, {log.failed:,} failed)"]
    parts += [f"{log.earlier:,} imported before"] if log.earlier else []
    parts += [f"{log.left_out:,} not to be counted here"] if log.left_out else []
    parts += [f"{log.rejected.total():,} rejected"] if log.rejected else []
    parts += ["its end is incomplete"] if not log.complete else []
    return f"{log.lines:,} {'line' if log.lines == 1 else 'lines'}: {', '.join(parts)}."


def _data(path: Path, log: Imported) -> dict[str, Any]:
    return {
        "file": str(path),
        "lines": log.lines,
        "counted": log.succeeded + log.failed,
        "succeeded": log.succeeded,
        "failed": log.failed,
        "importedBefore": log.earlier,
        "leftOut": log.left_out,
        "rejected": log.rejected.total(),
        "rejectedByCode": dict(log.rejected),
        "faults": [{"line": number, "code": fault.code, "message": fault.message} for number, fault in log.faults.items()],
        "complete": log.complete,
    }
