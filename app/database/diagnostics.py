"""Diagnostics for `doctor`: whether a commit survives a power failure, and whether the connection is encrypted."""

from __future__ import annotations

from typing import Final

from app import database
from app.clock import HOUR, MINUTE

# Of jobs: what runs more rarely asks at least this often whether it is due.
LONGEST_INTERVAL: Final = HOUR

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


async def newest_instants() -> dict[str, int]:
    """The newest instant of each table in which a future instant is harmful; 0 for an empty table. A job's next time
    may rightly lie a little more than its interval ahead."""
    tables = {
        "session": "seen_at",
        "throttle": "window_start",
        "key_last_used": "last_used_at",
        "job": f"until - {LONGEST_INTERVAL + MINUTE}",
    }
    parts = ", ".join(f"(SELECT COALESCE(MAX({column}), 0) FROM {table}) AS {table}" for table, column in tables.items())
    return {name: int(value) for name, value in (await database.fetch(f"SELECT {parts}"))[0].items()}


async def damage() -> list[str]:
    """What the integrity check of SQLite reports, at most a few lines; PostgreSQL has its own tools for this."""
    if not database.is_sqlite():
        return []
    rows = await database.fetch("PRAGMA quick_check(5)")
    return [row["quick_check"] for row in rows if row["quick_check"] != "ok"]
