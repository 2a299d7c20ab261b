"""What the database says of itself, for `doctor`: whether a commit would survive a loss of power, and who may listen."""

from __future__ import annotations

from typing import Final

from app import database
from app.clock import MINUTE

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
    """Of each table in which an instant later than now would mislead: the newest one, 0 where it has none. A job's next time
    may rightly lie a little more than a minute ahead."""
    tables = {"session": "seen_at", "throttle": "window_start", "key_last_used": "last_used_at", "job": f"until - {2 * MINUTE}"}
    parts = ", ".join(f"(SELECT COALESCE(MAX({column}), 0) FROM {table}) AS {table}" for table, column in tables.items())
    return {name: int(value) for name, value in (await database.fetch(f"SELECT {parts}"))[0].items()}


async def damage() -> list[str]:
    """What SQLite finds wrong in its file, at most a few lines; PostgreSQL has tools of its own for this."""
    if not database.is_sqlite():
        return []
    rows = await database.fetch("PRAGMA quick_check(5)")
    return [row["quick_check"] for row in rows if row["quick_check"] != "ok"]
