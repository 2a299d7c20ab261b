"""Bringing a process to the point where it may answer: settings → catalogue → database → pepper → journal.

`serve` prepares once before its workers start; a worker, a command and a test `open` what is already prepared.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app import catalogue, database, mail
from app.audit import service as audit
from app.database.migrate import migrate, missing, one_at_a_time
from app.errors import StartRefused
from app.keys import journal
from app.peppers import service as peppers
from app.settings import Settings
from app.workspaces import service as workspaces
from app.workspaces import store as workspace_store
from app.workspaces.service import SYSTEM_CHAIN


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, make: bool = False) -> AsyncIterator[None]:
    """A process that may answer, closed again at the end.

    `make`: create and migrate the database where needed; without it a missing or older one is refused (StartRefused).
    """
    catalogue.bind(catalogue.load(settings.catalogue))
    _refuse_missing_file(settings, make)
    current, previous = peppers.read(settings)
    database.bind(settings)
    workspaces.bind(audit.record)
    post = mail.bind(settings)
    try:
        await database.open_pools()
        await _prepare(current, previous, make)
        await journal.bind(settings.journal_path).catch_up()
        yield
    finally:
        await post.close()
        await database.close_pools()


def _refuse_missing_file(settings: Settings, make: bool) -> None:
    path = settings.sqlite_path
    if path is not None and not make and not path.exists():
        raise StartRefused(f"There is no database at {path}. `keydesk serve` or `keydesk migrate` makes one.")


async def _prepare(current: bytes, previous: bytes | None, make: bool) -> None:
    if make:
        await migrate()
    elif await missing():
        raise StartRefused("The database belongs to another version. `keydesk migrate` brings it to this one.")
    async with database.transaction():
        await one_at_a_time()
        known = await peppers.recognise(current, previous)
        peppers.bind(known)
        await workspace_store.ensure_installation(audit.wrapped_key(SYSTEM_CHAIN))
        if known.previous is not None:
            await audit.rewrap_keys()
