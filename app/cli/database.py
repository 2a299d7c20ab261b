"""Migrates the database's tables."""

from __future__ import annotations

from app.cli.runner import Result, command
from app.database.migrate import known_migrations


@command("migrate", make=True)
async def migrate() -> Result:
    """Make the database, or bring it to this version.

    One process does it while others wait, in one transaction: it is done, or nothing was. serve does the same at its start.
    """
    migrations = sorted(known_migrations())
    return Result({"migrations": migrations}, (f"The database is at this version: {len(migrations)} migrations.",))
