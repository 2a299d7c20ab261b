"""What the database says of itself, for `doctor`: whether a commit would survive a loss of power, and who may listen."""

from __future__ import annotations

from typing import Final

from app import database

_PRAGMAS: Final = ("journal_mode", "synchronous", "foreign_keys")
_POSTGRES: Final = (
    "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,"
    " current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,"
    " CASE WHEN pg_is_in_recovery() THEN 'yes' ELSE 'no' END AS replica,"
    " CASE WHEN inet_server_addr() IS NULL THEN 'socket' WHEN (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
    " THEN 'encrypted' ELSE 'plain' END AS connection"
)


async def facts() -> dict[str, str]:
    """SQLite: its pragmas on the connection that writes. PostgreSQL: `version`, settings, and the kind of `connection`."""
    found: dict[str, object] = {}
    async with database.transaction():
        for statement in [f"PRAGMA {name}" for name in _PRAGMAS] if database.is_sqlite() else [_POSTGRES]:
            found |= (await database.fetch(statement))[0]
    return {name: str(value) for name, value in found.items()}


async def damage() -> list[str]:
    """What SQLite finds wrong in its file, at most a few lines; PostgreSQL has tools of its own for this."""
    if not database.is_sqlite():
        return []
    rows = await database.fetch("PRAGMA quick_check(5)")
    return [row["quick_check"] for row in rows if row["quick_check"] != "ok"]
