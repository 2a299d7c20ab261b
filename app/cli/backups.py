"""Backing up and restoring the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from app import backups, logs, replay, start
from app.cli.runner import Result, command, emit, settings, with_json
from app.database import copying
from app.errors import Conflict
from app.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


@command("backup")
@click.argument("file", type=_FILE)
async def backup(file: Path) -> Result:
    """Write all rows into a file, while the server runs.

    One moment of all tables, SQLite or PostgreSQL, mode 0600. FILE is there whole or not at all, and never replaced. The
    pepper is not in it: keep that apart.
    """
    rows = await backups.save(file)
    lines = (f"{file}: {sum(rows.values())} rows, {rows['api_key']} of them API keys.",)
    return Result({"file": str(file), "rows": rows}, lines)


@with_json
@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="In the place of what the database holds, even if a server uses it.")
@click.option("--without-journal", is_flag=True, help="Keep alive what the revocation journal names as taken away since.")
def restore(file: Path, as_json: bool, replace: bool, without_journal: bool) -> None:
    """Put a backup into the database.

    It is made where there is none. Then everything that the revocation journal names as taken away, and the backup has
    living, is taken away again, in the same transaction: it is all done, or nothing was. People sign in anew; invitations
    and links that were mailed are void.
    """
    emit(asyncio.run(_restore(settings(), file, replace=replace, with_journal=not without_journal)), as_json)


async def _restore(chosen: Settings, file: Path, *, replace: bool, with_journal: bool) -> Result:
    logs.set_up("ERROR")
    with copying.reading(file):
        pass
    if not replace and chosen.sqlite_path and copying.is_open_elsewhere(chosen.sqlite_path):
        raise Conflict("A server uses this database. Stop it first, or say --replace.")
    async with start.opened(chosen, make=True):
        done = await backups.restore(chosen, file, replace=replace, with_journal=with_journal)
    again = replay.describe(done.again) or ("nothing to take away again" if with_journal else "the journal was left aside")
    lines = (f"{sum(done.rows.values())} rows restored, {done.rows['api_key']} of them API keys.", f"From the journal: {again}.")
    return Result({"rows": done.rows, "fromJournal": dict(done.again)}, lines)
