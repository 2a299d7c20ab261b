"""Backs up the database, and restores a backup without undoing later revocations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app import database, nouns, reconcile, replay, runtime
from app.database import copying, roles
from app.errors import Conflict, StartRefused
from app.journal import file as journal
from app.peppers import service as peppers
from app.settings import Settings
from app.usage import store as usage


@dataclass(frozen=True, slots=True)
class Restored:
    """Rows by table, and what was revoked again because of the journal."""

    rows: dict[str, int]
    again: Counter[str]


async def save(target: Path) -> dict[str, int]:
    """Writes a backup while the server runs; the file is complete or does not exist. Returns the number of rows by table."""
    return await copying.save(target, without=nouns.UNSAVED)


async def restore(settings: Settings, source: Path, *, replace: bool, with_journal: bool) -> Restored:
    """Replaces the contents of the database with a backup, and repeats the revocations of the journal in the same
    transaction, so that the old state is never visible.

    Raises StartRefused for a file that is not a complete backup or belongs to another pepper, and Conflict, unless `replace`, for
    a database that is in use.
    """
    if not replace and await copying.is_served():
        raise Conflict("A server uses this database. Stop it first, or say --replace.")
    if not replace and not await copying.is_empty():
        raise Conflict("This database is not empty. Say --replace to put the backup in its place.")
    configured = peppers.read(settings)
    with copying.reading(source) as backup:
        async with roles.as_owner(settings), database.transaction():
            await roles.require_tables()
            async with usage.days_made_once():
                rows = await copying.load(backup, without=nouns.UNSAVED)
            if not rows.get("pepper") or not rows.get("installation"):
                raise StartRefused(f"{source} is no whole backup of Keydesk: it has no installation.")
            runtime.put(await peppers.identify(configured))
            again = await replay.replay() if with_journal else Counter()
    if not with_journal:
        await reconcile.forget(journal.current())
    await reconcile.begin_anew(journal.current())
    await reconcile.catch_up(journal.current())
    return Restored(rows, again)
