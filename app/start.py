"""Bringing a process to the point where it may answer: settings → catalogue → database → pepper → journal.

`serve` prepares once before its workers start; a worker, a command and a test `open` what is already prepared.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from app import catalogue, database, reconcile, replay, runtime
from app.audit import service as audit
from app.database import Database
from app.database.migrate import known_migrations, migrate, missing, one_at_a_time
from app.errors import StartRefused
from app.journal.file import Journal
from app.mail import Mail
from app.peppers import service as peppers
from app.peppers.pepper import GoneOn
from app.peppers.service import Given
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, make: bool = False, with_journal: bool = True) -> AsyncIterator[None]:
    """A process that may answer, closed again at the end.

    `make`: create and migrate the database where needed; without it a missing or older one is refused (StartRefused).
    What the revocation journal names and a database that is made or served has living is taken away again; without
    `with_journal` the old state is kept, and the journal says so for later starts.
    """
    runtime.require_closed()
    chosen = catalogue.load(settings.catalogue)
    _refuse_unfit_file(settings.sqlite_path, make)
    given = peppers.read(settings)
    post, book = Mail(settings), Journal(settings.journal_path)
    with runtime.opened(chosen, Database.of(settings), post, book):
        try:
            await database.open_pools()
            try:
                new = await _prepare(given, make)
            except GoneOn as error:
                raise StartRefused(peppers.gone_on(error.version)) from None
            if new:
                await book.begin_anew()
            if make:
                await _replay(book, with_journal)
            await reconcile.catch_up(book)
            yield
        finally:
            await post.close()
            await database.close_pools()


async def _replay(book: Journal, with_journal: bool) -> None:
    if not with_journal:
        await book.forget()
        return
    await replay.keep_up()


def _refuse_unfit_file(path: Path | None, make: bool) -> None:
    """Before anything is made: a refused start leaves nothing behind. OSError for a path that no file can have."""
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise StartRefused(f"KEYDESK_DATABASE_URL: {path} is no file that a database could be in.")
    # Its log has the longest name: asking for it finds out whether it can exist.
    path.with_name(f"{path.name}-wal").exists()
    if not make and not path.exists():
        raise StartRefused(f"There is no database at {path}. `keydesk serve` or `keydesk migrate` makes one.")


async def _prepare(given: Given, make: bool) -> bool:
    """Answers whether this made the database."""
    new = make and await missing() == sorted(known_migrations())
    if make:
        await migrate()
    elif await missing():
        raise StartRefused("The database belongs to another version. `keydesk migrate` brings it to this one.")
    async with database.transaction():
        await one_at_a_time()
        known = await peppers.recognise(given)
        runtime.put(known)
        await workspace_store.ensure_installation(audit.wrapped_key(SYSTEM_CHAIN))
        if known.previous is not None:
            await audit.rewrap_keys()
    return new
