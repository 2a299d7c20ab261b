"""Moves an installation from an SQLite file into PostgreSQL: everything, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app import database, runtime, start
from app.database import Database, comparing, copying, roles, snapshots
from app.database.comparing import Contents
from app.database.migrate import migrate, one_at_a_time
from app.database.server_lock import lock_for_server
from app.errors import Conflict, StartRefused
from app.peppers import service as peppers
from app.settings import Settings
from app.usage import store as usage

_DIFFERENT: Final = "This database is not empty, and what it holds is not a copy of {}."
_DAMAGED: Final = "The copy differs from {} in {}, so nothing of it was kept. Please report this."


@dataclass(frozen=True, slots=True)
class Copied:
    """`contents` by table, the same in both databases. `is_new`: False if an earlier call had copied all of it already."""

    contents: dict[str, Contents]
    is_new: bool


async def copy(settings: Settings, source: Path) -> Copied:
    """Copies all rows of an SQLite file into the PostgreSQL database of the settings, and compares both before it commits.

    Call it while nothing is open in this process. Nothing else can write to the file meanwhile, and it stays as it is. Raises
    StartRefused for settings, a file or a pepper that do not fit, and Conflict for a file or a database that is in use, or a
    database with other contents.
    """
    if settings.sqlite_path is not None:
        raise StartRefused("KEYDESK_DATABASE_URL says where the copy goes: it begins with postgresql://.")
    peppers.read(settings)
    with lock_for_server(_existing(source)) as server:
        _require_unused(source, server)
        await _complete(settings, source)
        _require_unused(source, server)
        with snapshots.locked(source) as held:
            wanted = await comparing.contents(snapshots.reader_of(held))
            async with _target(settings):
                is_new = await copying.is_empty()
                if is_new:
                    async with usage.days_made_once():
                        await copying.load(held, without=())
                found = await comparing.contents(snapshots.reader_in_transaction())
                if found != wanted:
                    raise _difference(source, wanted, found, is_new=is_new)
    return Copied(wanted, is_new)


def _existing(source: Path) -> Path:
    if not source.is_file():
        raise StartRefused(f"There is no database at {source}.")
    return source


def _require_unused(source: Path, server: str | None) -> None:
    if server is not None or copying.is_open_elsewhere(source):
        raise Conflict(f"A server or a command uses {source}. Stop it first.")


async def _complete(settings: Settings, source: Path) -> None:
    """Opens the file as its server would: with this version's tables, this pepper, and every request counted. What the new
    journal lacks is added to it."""
    there = replace(
        settings,
        database_url=f"sqlite:///{source}",
        migration_database_url=None,
        revocation_journal=settings.journal_path,
        audit_checkpoints=settings.checkpoints_path,
    )
    async with start.opened(there):
        await database.settle()


@contextlib.asynccontextmanager
async def _target(settings: Settings) -> AsyncIterator[None]:
    """A transaction in the migrated database of the settings, with the role that owns its tables. One at a time."""
    with runtime.opened(Database(database.engine_of(settings))):
        try:
            await database.open_pools()
            if await copying.is_served():
                raise Conflict("A server uses the database of KEYDESK_DATABASE_URL. Stop it first.")
            async with roles.as_owner(settings) as serving:
                await migrate()
                async with database.transaction():
                    await one_at_a_time()
                    await roles.grant(serving)
                    await roles.require_tables()
                    yield
        finally:
            await database.close_pools()


def _difference(source: Path, wanted: dict[str, Contents], found: dict[str, Contents], *, is_new: bool) -> Conflict | StartRefused:
    different = ", ".join(table for table in wanted if wanted[table] != found[table])
    return StartRefused(_DAMAGED.format(source, different)) if is_new else Conflict(_DIFFERENT.format(source))
