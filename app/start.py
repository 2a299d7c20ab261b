"""Starts a process until it can answer: settings → catalogue → database → pepper → journal.

`serve` prepares once before its workers start; a worker, a command and a test use `opened` on the prepared installation.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from app import catalogue, database, reconcile, replay, runtime
from app.audit import service as audit
from app.audit.checkpoints import Checkpoints
from app.database import Database, roles
from app.database.migrate import known_migrations, migrate, missing, one_at_a_time
from app.errors import StartRefused
from app.journal.file import Journal
from app.mail import Mail
from app.peppers import service as peppers
from app.peppers.pepper import PepperGone
from app.peppers.service import ConfiguredPeppers
from app.provisioning.self_service import Allowance
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN
from app.usage.log import UsageLog
from app.webhooks import store as webhook_store
from app.webhooks.sender import Sender


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, make: bool = False, with_journal: bool = True) -> AsyncIterator[None]:
    """Opens the process for requests or a command, and closes it at the end.

    `make`: create and migrate the database where needed; without it a missing or older one is refused (StartRefused).
    Missing revocations of the journal are repeated in a database that is created or served; without `with_journal` the old
    state is kept, and the journal records that for later starts.
    """
    runtime.require_closed()
    chosen = catalogue.load(settings.catalogue)
    _refuse_unfit_file(settings.sqlite_path, make)
    configured = peppers.read(settings)
    post, book = Mail(settings), Journal(settings.journal_path)
    engine = database.engine_of(settings)
    log = UsageLog(engine)
    checkpoints = Checkpoints(settings.checkpoints_path)
    allowance = Allowance(settings.workspaces_per_user)
    with runtime.opened(chosen, Database(engine, log), log, post, Sender(settings), book, checkpoints, allowance):
        try:
            await database.open_pools()
            try:
                new = await _prepare(settings, configured, make)
            except PepperGone as error:
                raise StartRefused(peppers.superseded_message(error.version)) from None
            if new:
                await reconcile.begin_anew(book)
            if make:
                await _replay(book, with_journal)
            await reconcile.catch_up(book)
            yield
        finally:
            await log.close()
            await database.close_pools()


async def _replay(book: Journal, with_journal: bool) -> None:
    if not with_journal:
        await reconcile.forget(book)
        return
    await replay.keep_up()


def _refuse_unfit_file(path: Path | None, make: bool) -> None:
    """Checks before anything is created, so that a refused start leaves nothing behind. Raises OSError for an impossible path."""
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise StartRefused(f"KEYDESK_DATABASE_URL: {path} is no file that a database could be in.")
    # Its log has the longest name, so checking that one covers the others.
    path.with_name(f"{path.name}-wal").exists()
    if not make and not path.exists():
        raise StartRefused(f"There is no database at {path}. `keydesk serve` or `keydesk migrate` makes one.")


async def _prepare(settings: Settings, configured: ConfiguredPeppers, make: bool) -> bool:
    """Returns whether it created the database."""
    new = make and await missing() == sorted(known_migrations())
    if make:
        await _migrate(settings)
    elif await missing():
        raise StartRefused("The database belongs to another version. `keydesk migrate` brings it to this one.")
    async with database.transaction():
        await one_at_a_time()
        known = await peppers.identify(configured)
        runtime.put(known)
        await workspace_store.ensure_installation(audit.wrapped_key(SYSTEM_CHAIN))
        if known.previous is not None:
            await audit.rewrap_keys()
            await webhook_store.reseal()
    return new


async def _migrate(settings: Settings) -> None:
    """With a role for migrations, that one also gives the serving role what it needs of new tables."""
    if settings.migration_database_url is None:
        await migrate()
        return
    async with roles.as_owner(settings) as serving:
        await migrate()
        async with database.transaction():
            await one_at_a_time()
            await roles.grant(serving)
