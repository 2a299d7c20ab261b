"""Rows of rotations, turned into frozen data."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from app import database
from app.access.actor import ActorKind, ActorRef
from app.keys.listing import Window
from app.keys.repeat import IDEMPOTENCY_LASTS, Repeat
from app.rotations.rotation import Ending, OnDeadline, Outcome, Rotation

_SELECT: Final = (
    "SELECT r.id, r.workspace, r.predecessor, r.successor, r.started_at, r.started_by_kind, r.started_by_id, r.started_by_name,"
    " r.deadline, r.on_deadline, r.quiet_period, r.ended_at, r.ended_by_kind, r.ended_by_id, r.ended_by_name, r.outcome"
    " FROM rotation r"
)
_LIVING: Final = "{0}.revoked_at IS NULL AND ({0}.expires_at IS NULL OR {0}.expires_at > {{}})"
_KEYS: Final = " JOIN api_key p ON p.id = r.predecessor JOIN api_key s ON s.id = r.successor"
# A run is open only while both its keys live, whether or not its end was written down.
_OPEN: Final = f"r.ended_at IS NULL AND {_LIVING.format('p')} AND {_LIVING.format('s')}"
_OVER: Final = f"NOT ({_LIVING.format('p')} AND {_LIVING.format('s')})"
_DUE: Final = f"r.ended_at IS NULL AND ((r.on_deadline = 'REVOKE' AND r.deadline <= {{}}) OR {_OVER})"


async def add(run: Rotation, repeat: Repeat | None) -> None:
    """A run that has just begun."""
    await database.fetch(
        "INSERT INTO rotation (id, workspace, predecessor, successor, started_at, started_by_kind, started_by_id,"
        " started_by_name, deadline, on_deadline, quiet_period, repeat_scope, repeat_input)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})",
        run.id,
        run.workspace_id,
        run.predecessor_id,
        run.successor_id,
        run.started_at,
        str(run.started_by.kind),
        run.started_by.id,
        run.started_by.name,
        run.deadline,
        str(run.on_deadline),
        run.quiet_period,
        repeat.scope if repeat else None,
        repeat.input if repeat else None,
    )


async def workspace_of(rotation_id: str) -> str | None:
    rows = await database.fetch("SELECT workspace FROM rotation WHERE id = {}", rotation_id)
    return rows[0]["workspace"] if rows else None


async def find(workspace_id: str, rotation_id: str) -> Rotation | None:
    rows = await database.fetch(f"{_SELECT} WHERE r.workspace = {{}} AND r.id = {{}}", workspace_id, rotation_id)
    return _run(rows[0]) if rows else None


async def by_id(rotation_ids: Collection[str]) -> dict[str, Rotation]:
    """Those of these runs that exist, of whatever workspace: for runs that the caller has already been let into."""
    if not rotation_ids:
        return {}
    marks = ", ".join("{}" for _ in rotation_ids)
    return {row["id"]: _run(row) for row in await database.fetch(f"{_SELECT} WHERE r.id IN ({marks})", *rotation_ids)}


async def mark(run: Rotation) -> tuple[object, ...]:
    """What changes whenever the run, its keys or their callers do, by one statement."""
    keys = (run.predecessor_id, run.successor_id)
    rows = await database.fetch(
        "SELECT w.revision, (SELECT sum(last_used_at) FROM key_last_used WHERE key IN ({}, {})) AS used,"
        " (SELECT count(*) FROM caller WHERE key IN ({}, {})) AS callers,"
        # In seconds: the sum of so many instants in microseconds would be too large for 64 bits.
        " (SELECT sum(last_seen_at / 1000000) FROM caller WHERE key IN ({}, {})) AS seen FROM workspace w WHERE w.id = {}",
        *(*keys, *keys, *keys, run.workspace_id),
    )
    return tuple(tuple(row.values()) for row in rows)


async def find_repeat(scope: bytes, now: int) -> tuple[Rotation, bytes] | None:
    """The run that an idempotency key started, and the digest of what was asked: for 24 hours, and as long as it is open."""
    rows = await database.fetch(
        f"{_SELECT.replace(' FROM', ', r.repeat_input FROM')}{_KEYS} WHERE r.repeat_scope = {{}}"
        f" AND (r.started_at >= {{}} OR ({_OPEN})) ORDER BY r.started_at DESC LIMIT 1",
        scope,
        now - IDEMPOTENCY_LASTS,
        now,
        now,
    )
    return (_run(rows[0]), bytes(rows[0]["repeat_input"])) if rows else None


async def unended(key_id: str) -> list[Rotation]:
    """Runs of this key whose end nobody has written down: one at most that it is to end, one that brought it."""
    rows = await database.fetch(
        f"{_SELECT} WHERE r.ended_at IS NULL AND (r.predecessor = {{}} OR r.successor = {{}}) ORDER BY r.started_at", key_id, key_id
    )
    return [_run(row) for row in rows]


async def latest_of_keys(key_ids: Collection[str]) -> dict[str, Rotation]:
    """Of each key the open run, else the latest, whichever of the two keys it is; a key without any is left out."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(
        f"{_SELECT} WHERE r.predecessor IN ({marks}) OR r.successor IN ({marks}) ORDER BY r.started_at, r.id", *key_ids, *key_ids
    )
    # No key starts a run while it has an open one, so the one that began last is the open one if there is any.
    runs, asked = [_run(row) for row in rows], set(key_ids)
    return {key_id: run for run in runs for key_id in (run.predecessor_id, run.successor_id) if key_id in asked}


async def predecessors(key_ids: Collection[str]) -> dict[str, str]:
    """Of each key the one it replaces, or was to replace."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"SELECT predecessor, successor FROM rotation WHERE successor IN ({marks})", *key_ids)
    return {row["successor"]: row["predecessor"] for row in rows}


async def successors(key_ids: Collection[str]) -> dict[str, str]:
    """Of each key the one that replaces it, or has; one whose run was cancelled is left out."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(
        f"SELECT predecessor, successor FROM rotation WHERE predecessor IN ({marks})"
        " AND (outcome IS NULL OR outcome <> 'CANCELLED') ORDER BY started_at",
        *key_ids,
    )
    return {row["predecessor"]: row["successor"] for row in rows}


async def line_of(key_id: str) -> list[str]:
    """The key with all that came before it and all that came after it, in no order."""
    rows = await database.fetch(
        "WITH RECURSIVE before(id) AS (SELECT CAST({} AS VARCHAR(24))"
        " UNION SELECT r.predecessor FROM rotation r JOIN before ON r.successor = before.id),"
        " after(id) AS (SELECT CAST({} AS VARCHAR(24)) UNION SELECT r.successor FROM rotation r JOIN after"
        " ON r.predecessor = after.id WHERE r.outcome IS NULL OR r.outcome <> 'CANCELLED')"
        " SELECT id FROM before UNION SELECT id FROM after",
        key_id,
        key_id,
    )
    return [row["id"] for row in rows]


async def open_runs(workspace_id: str, now: int) -> list[Rotation]:
    """The workspace's open runs, those with the earliest deadline first."""
    rows = await database.fetch(
        f"{_SELECT}{_KEYS} WHERE r.workspace = {{}} AND {_OPEN} ORDER BY r.deadline, r.id", workspace_id, now, now
    )
    return [_run(row) for row in rows]


async def page(workspace_id: str, window: Window, now: int, *, open_only: bool) -> list[Rotation]:
    """Runs in the window's direction, one more than its limit if there are more. The list begins with the newest."""
    where, arguments = _where(workspace_id, now, open_only)
    for place, comparison in ((window.after, "<"), (window.before, ">")):
        if place is not None:
            where += f" AND (r.started_at, r.id) {comparison} ({{}}, {{}})"
            arguments += [place.value, place.id]
    direction = "ASC" if window.backwards else "DESC"
    rows = await database.fetch(
        f"{_SELECT}{_KEYS} WHERE {where} ORDER BY r.started_at {direction}, r.id {direction} LIMIT {{}}",
        *arguments,
        window.limit + 1,
    )
    return [_run(row) for row in rows]


async def count(workspace_id: str, now: int, *, open_only: bool) -> int:
    where, arguments = _where(workspace_id, now, open_only)
    rows = await database.fetch(f"SELECT count(*) AS n FROM rotation r{_KEYS} WHERE {where}", *arguments)
    return int(rows[0]["n"])


async def due(now: int) -> list[Rotation]:
    """Runs that have to be ended: by their deadline, or because one of their keys is over. Those that wait longest first."""
    rows = await database.fetch(f"{_SELECT}{_KEYS} WHERE {_DUE} ORDER BY r.deadline, r.id", now, now, now)
    return [_run(row) for row in rows]


async def is_any_due(now: int) -> bool:
    return bool(await database.fetch(f"SELECT 1 AS due FROM rotation r{_KEYS} WHERE {_DUE} LIMIT 1", now, now, now))


async def set_successor(rotation_id: str, key_id: str) -> None:
    await database.fetch("UPDATE rotation SET successor = {} WHERE id = {}", key_id, rotation_id)


async def set_deadline(rotation_id: str, deadline: int) -> None:
    await database.fetch("UPDATE rotation SET deadline = {} WHERE id = {}", deadline, rotation_id)


async def end(rotation_id: str, ending: Ending) -> None:
    await database.fetch(
        "UPDATE rotation SET ended_at = {}, ended_by_kind = {}, ended_by_id = {}, ended_by_name = {}, outcome = {} WHERE id = {}",
        ending.at,
        str(ending.by.kind),
        ending.by.id,
        ending.by.name,
        str(ending.outcome),
        rotation_id,
    )


async def dismiss(rotation_id: str, user_agent: str, now: int, by_name: str) -> None:
    await database.fetch(
        "INSERT INTO rotation_dismissal (rotation, user_agent, at, by_name) VALUES ({}, {}, {}, {})"
        " ON CONFLICT (rotation, user_agent) DO NOTHING",
        rotation_id,
        user_agent,
        now,
        by_name,
    )


async def dismissed(rotation_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The dismissed families of each run; a run without any is left out."""
    if not rotation_ids:
        return {}
    marks = ", ".join("{}" for _ in rotation_ids)
    rows = await database.fetch(f"SELECT rotation, user_agent FROM rotation_dismissal WHERE rotation IN ({marks})", *rotation_ids)
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["rotation"], set()).add(row["user_agent"])
    return {rotation_id: frozenset(families) for rotation_id, families in found.items()}


def _where(workspace_id: str, now: int, open_only: bool) -> tuple[str, list[Any]]:
    if open_only:
        return f"r.workspace = {{}} AND {_OPEN}", [workspace_id, now, now]
    return "r.workspace = {}", [workspace_id]


def _run(row: dict[str, Any]) -> Rotation:
    return Rotation(
        id=row["id"],
        workspace_id=row["workspace"],
        predecessor_id=row["predecessor"],
        successor_id=row["successor"],
        started_at=row["started_at"],
        started_by=ActorRef(ActorKind(row["started_by_kind"]), row["started_by_id"], row["started_by_name"]),
        deadline=row["deadline"],
        on_deadline=OnDeadline(row["on_deadline"]),
        quiet_period=row["quiet_period"],
        ending=_ending(row) if row["ended_at"] is not None else None,
    )


def _ending(row: dict[str, Any]) -> Ending:
    by = ActorRef(ActorKind(row["ended_by_kind"]), row["ended_by_id"], row["ended_by_name"])
    return Ending(row["ended_at"], by, Outcome(row["outcome"]))
