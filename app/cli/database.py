"""Migrates the database's tables and prints the GraphQL schema."""

from __future__ import annotations

import click

from app.cli.runner import Result, command, emit, with_json
from app.database.migrate import known_migrations


@command("migrate", make=True)
async def migrate() -> Result:
    """Make the database, or bring it to this version.

    One process does it while others wait, in one transaction: it is done, or nothing was. serve does the same at its start.
    """
    migrations = sorted(known_migrations())
    return Result({"migrations": migrations}, (f"The database is at this version: {len(migrations)} migrations.",))


@with_json
@click.command("schema")
def schema(as_json: bool) -> None:
    """Print the GraphQL schema (SDL)."""
    # Imported here, because no other command needs GraphQL.
    from app.api.schema import sdl

    emit(Result({"schema": sdl()}, (sdl().rstrip("\n"),)), as_json)
