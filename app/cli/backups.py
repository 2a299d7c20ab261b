"""Backing up and restoring the database, and moving it to another engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from app import backups, logs, moving, replay, start
from app.cli.runner import Result, command, emit, settings, with_json
from app.database import comparing, copying
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
@click.option("--replace", is_flag=True, help="Replace what the database contains, even if a server uses it.")
@click.option("--without-journal", is_flag=True, help="Keep alive what the revocation journal names as taken away since.")
def restore(file: Path, as_json: bool, replace: bool, without_journal: bool) -> None:
    """Put a backup into the database.

    It is made where there is none. Then everything that the revocation journal names as taken away, and the backup has
    living, is taken away again, in the same transaction: it is all done, or nothing was. People sign in anew; invitations
    and links that were mailed are void.
    """
    emit(asyncio.run(_restore(settings(), file, replace=replace, with_journal=not without_journal)), as_json)


@with_json
@click.command("copy")
@click.option("--from", "source", required=True, type=_FILE, help="The SQLite file, which no server may use now.")
def copy(source: Path, as_json: bool) -> None:
    """Copy an SQLite database into PostgreSQL.

    Set everything as for the nodes that are to use the copy, with the same pepper: KEYDESK_DATABASE_URL is where it goes. All
    tables are copied in one transaction, in which both contents are compared: it is all done, or nothing was. The file stays
    as it is. Repeated, it compares again.
    """
    emit(asyncio.run(_copy(settings(), source)), as_json)


database_group = click.Group("database", help="The database as a whole.", commands=[copy])


async def _copy(chosen: Settings, source: Path) -> Result:
    logs.set_up("ERROR")
    done = await moving.copy(chosen, source)
    rows = {table: each.rows for table, each in done.contents.items()}
    digest = comparing.digest(done.contents)
    lines = (
        f"{sum(rows.values())} rows in {len(rows)} tables {'copied' if done.is_new else 'are there already'},"
        f" {rows['api_key']} of them API keys.",
        f"Both databases have the contents sha256:{digest}.",
    )
    return Result({"rows": rows, "digest": f"sha256:{digest}", "copied": done.is_new}, lines, _to_do(chosen, source))


def _to_do(chosen: Settings, source: Path) -> tuple[str, ...]:
    """Files of the old server that note the ends of audit chains, which the new one lacks."""
    before = replace(chosen, database_url=f"sqlite:///{source}", revocation_journal=None, audit_checkpoints=None)
    files = ((before.journal_path, chosen.journal_path), (before.checkpoints_path, chosen.checkpoints_path))
    return tuple(
        f"{old} is not the file of these settings. Append it before you start a node: cat {old} >> {new}"
        for old, new in files
        if old.exists() and not (new.exists() and old.samefile(new))
    )


async def _restore(chosen: Settings, file: Path, *, replace: bool, with_journal: bool) -> Result:
    logs.set_up("ERROR")
    with copying.reading(file):
        pass
    if not replace and chosen.sqlite_path and copying.is_open_elsewhere(chosen.sqlite_path):
        raise Conflict("A server uses this database. Stop it first, or say --replace.")
    async with start.opened(chosen, make=True):
        done = await backups.restore(chosen, file, replace=replace, with_journal=with_journal)
    again = replay.describe(done.again) or ("nothing to take away again" if with_journal else "the journal was not applied")
    lines = (f"{sum(done.rows.values())} rows restored, {done.rows['api_key']} of them API keys.", f"From the journal: {again}.")
    return Result({"rows": done.rows, "fromJournal": dict(done.again)}, lines)
