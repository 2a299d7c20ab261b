"""Rows of callers, one for each permission, turned into callers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

from app import database
from app.keys.filters import LAST_INSTANT
from app.keys.filters_sql import literal
from app.pace import in_slices
from app.usage import store
from app.usage.caller import FOLDED, UNKNOWN, Caller, CallerCount, caller_id
from app.usage.counters import OTHER_CALLERS, CounterBatch

_NOTED = {"key_last_used": "last_used_at", "caller": "last_seen_at"}
Row = Sequence[Any]
_ID: Final = itemgetter(4)
_SELECT = "SELECT key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests FROM caller"


async def of_keys(key_ids: Collection[str]) -> dict[str, list[Caller]]:
    """The callers of each key that has any, most recently seen first."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.tuples(f"{_SELECT} WHERE key IN ({marks}) ORDER BY key, network, user_agent", *key_ids)
    callers = [_caller(list(parts)) async for _, parts in in_slices(groupby(rows, _ID))]
    return {key: sorted(own, key=_newest_first) for key, own in groupby(callers, attrgetter("key_id"))}


async def find(caller_id: str) -> Caller | None:
    rows = await database.tuples(f"{_SELECT} WHERE id = {{}}", caller_id)
    return _caller(rows) if rows else None


async def busiest(workspace_id: str, since: int, until: int, most: int) -> list[CallerCount]:
    """The callers of a workspace's keys that were seen in this time, each with all keys together, the busiest first."""
    rows = await database.tuples(
        "SELECT c.network, c.user_agent, MIN(c.first_seen_at), MAX(c.last_seen_at), SUM(c.requests) AS requests"
        " FROM caller c JOIN api_key k ON k.id = c.key WHERE k.workspace = {} GROUP BY c.network, c.user_agent"
        " HAVING MAX(c.last_seen_at) >= {} AND MIN(c.first_seen_at) < {}"
        " ORDER BY requests DESC, c.network, c.user_agent LIMIT {}",
        *(workspace_id, since, until, most),
    )
    return [CallerCount(network, agent, int(first), int(last), int(requests)) for network, agent, first, last, requests in rows]


async def keys_called_by(workspace_id: str, program: str, network: str, most: int) -> list[str]:
    """The keys of a workspace with a caller whose program contains a text in lower case, or whose network begins with another."""
    # EXISTS rather than a join: a planner without statistics would scan all callers once for each key.
    rows = await database.fetch(
        "SELECT k.id FROM api_key k WHERE k.workspace = {} AND EXISTS (SELECT 1 FROM caller c WHERE c.key = k.id"
        " AND (LOWER(c.user_agent) LIKE {} ESCAPE '!' OR substr(c.network, 1, {}) = {})) ORDER BY k.id LIMIT {}",
        *(workspace_id, f"%{literal(program)}%", len(network), network, most),
    )
    return [row["id"] for row in rows]


async def crowded(most: int) -> list[str]:
    """Keys with more callers than this, not counting the folded one."""
    rows = await database.fetch(
        "SELECT c.key FROM (SELECT DISTINCT key, network, user_agent FROM caller WHERE network <> {}) c"
        " GROUP BY c.key HAVING count(*) > {} ORDER BY c.key",
        *(FOLDED, most),
    )
    return [row["key"] for row in rows]


async def count_keys_of_unknown_network(instant: int) -> int:
    """How many keys were used since then by callers with an unknown network."""
    rows = await database.fetch(
        "SELECT count(DISTINCT key) AS n FROM caller WHERE network = {} AND last_seen_at >= {}", UNKNOWN, instant
    )
    return int(rows[0]["n"])


async def fold(key_id: str, callers: Collection[Caller]) -> None:
    """Adds the rows of these callers to the folded one's and drops them; call inside a transaction.

    Rows are locked in primary-key order, like verification does, so that the two cannot deadlock.
    """
    seen_at = {caller.id: caller.last_seen_at for caller in callers}
    rows = await database.fetch(f"{_SELECT} WHERE id IN ({', '.join('{}' for _ in seen_at)})", *seen_at)
    crowds = [{"network": FOLDED, "user_agent": FOLDED, "permission": name} for name in {row["permission"] for row in rows}]
    tally = CounterBatch()
    for row in sorted([*rows, *crowds], key=lambda row: (row["network"], row["user_agent"], row["permission"])):
        if row["network"] == FOLDED:
            await _lock_crowd(key_id, row["permission"])
        else:
            for gone in await _drop(row, seen_at[row["id"]]):
                seen = (gone["first_seen_at"], gone["last_seen_at"], gone["requests"])
                tally.add_caller(key_id, OTHER_CALLERS, row["permission"], *seen)
    await store.add(tally)
    # The row was locked but is not needed, because all callers were seen again.
    await database.fetch("DELETE FROM caller WHERE key = {} AND network = {} AND last_seen_at = 0", key_id, FOLDED)


async def is_ahead(instant: int) -> bool:
    """Whether any use of a key is stored with a later instant."""
    text = "SELECT 1 AS found FROM {table} WHERE {column} > {{}}"
    parts = " UNION ALL ".join(text.format(table=table, column=column) for table, column in _NOTED.items())
    return bool(await database.fetch(f"SELECT found FROM ({parts}) noted LIMIT 1", instant, instant))


async def bring_back(now: int, ahead: int) -> None:
    """Moves uses stored with an instant after `ahead` to `now`; call inside a transaction."""
    await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE last_used_at > {}", now, ahead)
    await database.fetch("UPDATE caller SET first_seen_at = {} WHERE first_seen_at > {}", now, ahead)
    await database.fetch("UPDATE caller SET last_seen_at = {} WHERE last_seen_at > {}", now, ahead)


async def _lock_crowd(key_id: str, permission: str) -> None:
    """Locks the folded row, which is created if there is none."""
    await database.fetch(
        "INSERT INTO caller (key, network, user_agent, permission, id, first_seen_at, last_seen_at, requests)"
        " VALUES ({}, {}, {}, {}, {}, {}, 0, 0) ON CONFLICT (key, network, user_agent, permission)"
        " DO UPDATE SET requests = caller.requests",
        *(key_id, FOLDED, FOLDED, permission, caller_id(key_id, FOLDED, FOLDED), LAST_INSTANT),
    )


async def _drop(row: dict[str, Any], seen_at: int) -> list[dict[str, Any]]:
    """Deletes and returns the row; nothing if its caller was seen again meanwhile."""
    return await database.fetch(
        "DELETE FROM caller WHERE key = {} AND network = {} AND user_agent = {} AND permission = {} AND last_seen_at <= {}"
        " RETURNING first_seen_at, last_seen_at, requests",
        *(row["key"], row["network"], row["user_agent"], row["permission"], seen_at),
    )


def _newest_first(caller: Caller) -> tuple[int, str]:
    return (-caller.last_seen_at, caller.id)


def _caller(rows: list[Row]) -> Caller:
    """A caller from its rows, one for each permission."""
    key_id, network, user_agent, permission, caller_id, first_seen_at, last_seen_at, requests = rows[0]
    permissions = [permission]
    for _, _, _, other, _, first, last, more in rows[1:]:
        permissions.append(other)
        first_seen_at, last_seen_at, requests = min(first_seen_at, first), max(last_seen_at, last), requests + more
    held = tuple(sorted(filter(None, permissions)))
    return Caller(caller_id, key_id, network, user_agent, first_seen_at, last_seen_at, requests, held)
