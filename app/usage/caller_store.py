"""Rows of callers, one for each permission, turned into callers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from app import database
from app.keys.listing import LAST_INSTANT
from app.pace import unhurried
from app.usage import store
from app.usage.caller import FOLDED, UNKNOWN, Caller, caller_id
from app.usage.counting import CROWD, Tally

_NOTED = {"key_last_used": "last_used_at", "caller": "last_seen_at"}
Row = Sequence[Any]
_KEY: Final = itemgetter(0)
_ID: Final = itemgetter(4)
_SELECT = "SELECT key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests FROM caller"


async def of_keys(key_ids: Collection[str]) -> dict[str, list[Caller]]:
    """The callers of each of these keys that has any, those seen last first."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.tuples(f"{_SELECT} WHERE key IN ({marks}) ORDER BY key, network, user_agent", *key_ids)
    return {key: _callers(own) async for key, own in unhurried(groupby(rows, _KEY))}


async def find(caller_id: str) -> Caller | None:
    found = _callers(await database.tuples(f"{_SELECT} WHERE id = {{}}", caller_id))
    return found[0] if found else None


async def crowded(most: int) -> list[str]:
    """Keys with more callers than these, the folded one not counted."""
    rows = await database.fetch(
        "SELECT c.key FROM (SELECT DISTINCT key, network, user_agent FROM caller WHERE network <> {}) c"
        " GROUP BY c.key HAVING count(*) > {} ORDER BY c.key",
        *(FOLDED, most),
    )
    return [row["key"] for row in rows]


async def placeless_since(instant: int) -> int:
    """How many keys were used since then by callers whose network is not known."""
    rows = await database.fetch(
        "SELECT count(DISTINCT key) AS n FROM caller WHERE network = {} AND last_seen_at >= {}", UNKNOWN, instant
    )
    return int(rows[0]["n"])


async def fold(key_id: str, callers: Collection[Caller]) -> None:
    """Adds the rows of these callers to the folded one's and drops them; call inside a transaction.

    Rows are locked in primary-key order, like verification does, so that neither can wait for the other for ever.
    """
    seen_at = {caller.id: caller.last_seen_at for caller in callers}
    rows = await database.fetch(f"{_SELECT} WHERE id IN ({', '.join('{}' for _ in seen_at)})", *seen_at)
    crowds = [{"network": FOLDED, "user_agent": FOLDED, "permission": name} for name in {row["permission"] for row in rows}]
    tally = Tally()
    for row in sorted([*rows, *crowds], key=lambda row: (row["network"], row["user_agent"], row["permission"])):
        if row["network"] == FOLDED:
            await _lock_crowd(key_id, row["permission"])
        else:
            for gone in await _drop(row, seen_at[row["id"]]):
                seen = (gone["first_seen_at"], gone["last_seen_at"], gone["requests"])
                tally.meet(key_id, CROWD, row["permission"], *seen)
    await store.add(tally)
    # What was locked and then not needed, because everybody was seen again.
    await database.fetch("DELETE FROM caller WHERE key = {} AND network = {} AND last_seen_at = 0", key_id, FOLDED)


async def is_ahead(instant: int) -> bool:
    """Whether any use of a key is noted for later than this."""
    text = "SELECT 1 AS found FROM {table} WHERE {column} > {{}}"
    parts = " UNION ALL ".join(text.format(table=table, column=column) for table, column in _NOTED.items())
    return bool(await database.fetch(f"SELECT found FROM ({parts}) noted LIMIT 1", instant, instant))


async def bring_back(now: int, ahead: int) -> None:
    """What is noted for later than `ahead` is noted for `now`; call inside a transaction."""
    await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE last_used_at > {}", now, ahead)
    await database.fetch("UPDATE caller SET first_seen_at = {} WHERE first_seen_at > {}", now, ahead)
    await database.fetch("UPDATE caller SET last_seen_at = {} WHERE last_seen_at > {}", now, ahead)


async def _lock_crowd(key_id: str, permission: str) -> None:
    """The row to add to, which is made if there is none."""
    await database.fetch(
        "INSERT INTO caller (key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests)"
        " VALUES ({}, {}, {}, {}, {}, {}, 0, 0) ON CONFLICT (key, network, user_agent, permission)"
        " DO UPDATE SET requests = caller.requests",
        *(key_id, FOLDED, FOLDED, permission, caller_id(key_id, FOLDED, FOLDED), LAST_INSTANT),
    )


async def _drop(row: dict[str, Any], seen_at: int) -> list[dict[str, Any]]:
    """The row as it was when it went; nothing if its caller was seen again meanwhile."""
    return await database.fetch(
        "DELETE FROM caller WHERE key = {} AND network = {} AND user_agent = {} AND permission = {} AND last_seen_at <= {}"
        " RETURNING first_seen_at, last_seen_at, requests",
        *(row["key"], row["network"], row["user_agent"], row["permission"], seen_at),
    )


def _callers(rows: Iterable[Row]) -> list[Caller]:
    found = [_caller(list(parts)) for _, parts in groupby(rows, _ID)]
    return sorted(found, key=lambda caller: (-caller.last_seen_at, caller.id))


def _caller(rows: list[Row]) -> Caller:
    """One of each permission, all of one network and family."""
    key_id, network, user_agent, permission, caller_id, first_seen_at, last_seen_at, requests = rows[0]
    permissions = [permission]
    for _, _, _, other, _, first, last, more in rows[1:]:
        permissions.append(other)
        first_seen_at, last_seen_at, requests = min(first_seen_at, first), max(last_seen_at, last), requests + more
    held = tuple(sorted(filter(None, permissions)))
    return Caller(caller_id, key_id, network, user_agent, first_seen_at, last_seen_at, requests, held)
