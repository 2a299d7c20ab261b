"""A backup of the database, and putting one back without bringing to life what was taken away since."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app import database, reconcile, replay, runtime
from app.database import copying
from app.errors import Conflict, StartRefused
from app.journal import file as journal
from app.peppers import service as peppers
from app.settings import Settings
from app.usage import store as usage


@dataclass(frozen=True, slots=True)
class Restored:
    """Rows by table, and what was taken away again because the journal names it."""

    rows: dict[str, int]
    again: Counter[str]


async def save(target: Path) -> dict[str, int]:
    """Writes a backup while the server runs; the file is there whole or not at all. Answers the number of rows by table."""
    return await copying.save(target)


async def restore(settings: Settings, source: Path, *, replace: bool, with_journal: bool) -> Restored:
    """Puts a backup in the place of what the database holds, and takes away again what the journal names: all in one
    transaction, so nobody ever reads the one without the other.

    Raises StartRefused for a file that is no whole backup or belongs to another pepper, and Conflict, unless `replace`, for
    a database that is in use.
    """
    if not replace and await copying.is_served():
        raise Conflict("A server uses this database. Stop it first, or say --replace.")
    if not replace and not await copying.is_empty():
        raise Conflict("This database is not empty. Say --replace to put the backup in its place.")
    given = peppers.read(settings)
    with copying.reading(source) as backup:
        async with database.transaction():
            async with usage.days_made_once():
                rows = await copying.load(backup)
            if not rows.get("pepper") or not rows.get("installation"):
                raise StartRefused(f"{source} is no whole backup of Keydesk: it has no installation.")
            runtime.put(await peppers.recognise(given))
            again = await replay.replay() if with_journal else Counter()
    if not with_journal:
        await journal.current().forget()
    await journal.current().begin_anew()
    await reconcile.catch_up(journal.current())
    return Restored(rows, again)
