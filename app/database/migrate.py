"""Migrations, run by one process at a time inside one outer transaction: after a kill at any point the next start repairs it.

Without the outer transaction a kill between a migration's DDL and Piccolo's own record of it would fail every rerun.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re

from app import database
from app.database.roles import require_owner
from app.errors import StartRefused
from app.paths import MIGRATIONS

_LOCK = 5_317_206_417
_log = logging.getLogger("keydesk.migrate")


async def migrate() -> None:
    """Brings the database to this version's tables. Raises StartRefused if a migration fails; then nothing was changed."""
    output = io.StringIO()
    async with database.transaction():
        await one_at_a_time()
        if not await missing():
            return
        await require_owner()
        # Imported here, because few starts migrate, and this takes each of them a fifth of a second and 10 MB.
        from piccolo.apps.migrations.commands.forwards import run_forwards

        with contextlib.redirect_stdout(output):
            result = await run_forwards(app_name="keydesk")
        if not result.success:
            raise StartRefused(f"A migration failed and was rolled back: {output.getvalue().strip() or result.message}")
    _log.info("database migrated")


async def one_at_a_time() -> None:
    """Lets one process at a time prepare the database, until its transaction ends; the next process finds nothing left to do."""
    if not database.is_sqlite():  # SQLite's IMMEDIATE transaction is already the lock
        await database.fetch("SET LOCAL lock_timeout = 0")
        await database.fetch("SELECT pg_advisory_xact_lock({})", _LOCK)


async def missing() -> list[str]:
    """Ids of the known migrations that were not applied to the database. Raises Unavailable."""
    return sorted(known_migrations() - await _had())


def known_migrations() -> set[str]:
    """Ids of this version's migrations."""
    texts = [path.read_text(encoding="utf-8") for path in MIGRATIONS.glob("keydesk_*.py")]
    return {match.group(1) for text in texts if (match := re.search(r'^ID = "(.+)"', text, re.M))}


async def _had() -> set[str]:
    if not await _has_table("migration"):
        return set()
    return {row["name"] for row in await database.fetch("SELECT name FROM migration WHERE app_name = 'keydesk'")}


async def _has_table(name: str) -> bool:
    if database.is_sqlite():
        return bool(await database.fetch("SELECT 1 AS found FROM sqlite_master WHERE name = {}", name))
    return bool((await database.fetch("SELECT to_regclass({}) IS NOT NULL AS found", name))[0]["found"])
