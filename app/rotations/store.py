"""Rows of rotations, turned into frozen data."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from app import database
from app.access.actor import ActorKind, ActorRef
from app.database.sql import living, newest_first
from app.keys.idempotency import IDEMPOTENCY_LASTS, IdempotencyKey
from app.paging import Page, Window
from app.rotations.rotation import Ending, OnDeadline, Outcome, Rotation, State

COLUMNS: Final = (
    "r.id, r.workspace, r.predecessor, r.successor, r.started_at, r.started_by_kind, r.started_by_id, r.started_by_name,"
    " r.deadline, r.on_deadline, r.quiet_period, r.ended_at, r.ended_by_kind, r.ended_by_id, r.ended_by_name, r.outcome"
)
_SELECT: Final = f"SELECT {COLUMNS} FROM rotation r"
_KEYS: Final = " JOIN api_key p ON p.id = r.predecessor JOIN api_key s ON s.id = r.successor"
# A rotation is open only while both its keys live, whether or not its end was stored.
_OPEN: Final = f"r.ended_at IS NULL AND {living('p')} AND {living('s')}"
_OVER: Final = f"NOT ({living('p')} AND {living('s')})"
_DUE: Final = f"r.ended_at IS NULL AND ((r.on_deadline = 'REVOKE' AND r.deadline <= {{}}) OR {_OVER})"


async def add(rotation: Rotation, repeat: IdempotencyKey | None) -> None:
    """Inserts a rotation that has just started."""
    await database.fetch(
        "INSERT INTO rotation (id, workspace, predecessor, successor, started_at, started_by_kind, started_by_id,"
        " started_by_name, deadline, on_deadline, quiet_period, repeat_scope, repeat_input)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})",
        rotation.id,
        rotation.workspace_id,
        rotation.predecessor_id,
        rotation.successor_id,
        rotation.started_at,
        str(rotation.started_by.kind),
        rotation.started_by.id,
        rotation.started_by.name,
        rotation.deadline,
        str(rotation.on_deadline),
        rotation.quiet_period,
        repeat.scope if repeat else None,
        repeat.input if repeat else None,
    )


async def workspace_of(rotation_id: str) -> str | None:
    rows = await database.fetch("SELECT workspace FROM rotation WHERE id = {}", rotation_id)
    return rows[0]["workspace"] if rows else None


async def find(workspace_id: str, rotation_id: str) -> Rotation | None:
    rows = await database.fetch(f"{_SELECT} WHERE r.workspace = {{}} AND r.id = {{}}", workspace_id, rotation_id)
    return rotation_of(rows[0]) if rows else None


async def by_id(rotation_ids: Collection[str]) -> dict[str, Rotation]:
    """The rotations among these that exist, in any workspace. The caller has already checked access."""
    if not rotation_ids:
        return {}
    marks = ", ".join("{}" for _ in rotation_ids)
    return {row["id"]: rotation_of(row) for row in await database.fetch(f"{_SELECT} WHERE r.id IN ({marks})", *rotation_ids)}


async def mark(rotation: Rotation) -> tuple[object, ...]:
    """A version text that changes whenever the rotation, its keys or their callers do, from one statement, once use is counted."""
    keys = rotation.key_ids
    rows = await database.peek(
        "SELECT w.revision, (SELECT sum(last_used_at) FROM key_last_used WHERE key IN ({}, {})) AS used,"
        " (SELECT count(*) FROM caller WHERE key IN ({}, {})) AS callers,"
        # In seconds: the sum of so many instants in microseconds would be too large for 64 bits.
        " (SELECT sum(last_seen_at / 1000000) FROM caller WHERE key IN ({}, {})) AS seen FROM workspace w WHERE w.id = {}",
        *(*keys, *keys, *keys, rotation.workspace_id),
    )
    return tuple(tuple(row.values()) for row in rows)


async def open_with_webhooks(now: int, *, limit: int = 10_000) -> list[tuple[Rotation, str]]:
    """Open rotations of workspaces with a webhook, each with the state that was announced last."""
    rows = await database.fetch(
        f"SELECT {COLUMNS}, r.announced_state FROM rotation r{_KEYS} JOIN workspace w ON w.id = r.workspace"
        f" WHERE w.webhooks > 0 AND {_OPEN} ORDER BY r.workspace, r.id LIMIT {{}}",
        *(now, now, limit),
    )
    return [(rotation_of(row), _announced(row)) for row in rows]


async def announced_state(rotation_id: str) -> str:
    return _announced((await database.fetch("SELECT announced_state FROM rotation WHERE id = {}", rotation_id))[0])


async def set_announced_state(rotation_id: str, state: State) -> None:
    await database.fetch("UPDATE rotation SET announced_state = {} WHERE id = {}", str(state), rotation_id)


def _announced(row: dict[str, Any]) -> str:
    return row["announced_state"] or str(State.ISSUED)


async def find_repeat(scope: bytes, now: int) -> tuple[Rotation, bytes] | None:
    """The rotation that an idempotency key started, and the digest of its input: for 24 hours, and as long as it is open."""
    rows = await database.fetch(
        f"SELECT {COLUMNS}, r.repeat_input FROM rotation r{_KEYS} WHERE r.repeat_scope = {{}}"
        f" AND (r.started_at >= {{}} OR ({_OPEN})) ORDER BY r.started_at DESC LIMIT 1",
        scope,
        now - IDEMPOTENCY_LASTS,
        now,
        now,
    )
    return (rotation_of(rows[0]), bytes(rows[0]["repeat_input"])) if rows else None


async def unended(key_id: str) -> list[Rotation]:
    """Rotations of this key whose end is not stored: at most one as predecessor, and one as successor."""
    rows = await database.fetch(
        f"{_SELECT} WHERE r.ended_at IS NULL AND (r.predecessor = {{}} OR r.successor = {{}}) ORDER BY r.started_at", key_id, key_id
    )
    return [rotation_of(row) for row in rows]


async def latest_of_keys(key_ids: Collection[str]) -> dict[str, Rotation]:
    """The open rotation of each key, else the latest, as predecessor or successor; keys without any are left out."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(
        f"{_SELECT} WHERE r.predecessor IN ({marks}) OR r.successor IN ({marks}) ORDER BY r.started_at, r.id", *key_ids, *key_ids
    )
    # No key starts a rotation while it has an open one, so the latest one is the open one if there is any.
    rotations, wanted = [rotation_of(row) for row in rows], set(key_ids)
    return {key_id: rotation for rotation in rotations for key_id in rotation.key_ids if key_id in wanted}


async def open_rotations(workspace_id: str, now: int) -> list[Rotation]:
    """The workspace's open rotations, earliest deadline first."""
    rows = await database.fetch(
        f"{_SELECT}{_KEYS} WHERE r.workspace = {{}} AND {_OPEN} ORDER BY r.deadline, r.id", workspace_id, now, now
    )
    return [rotation_of(row) for row in rows]


async def page(workspace_id: str, window: Window, now: int, *, open_only: bool) -> Page[Rotation]:
    """Newest first; a position is `started_at` and the id."""
    where, arguments = _where(workspace_id, now, open_only)
    bounds, order, more = newest_first(window, "r.started_at", "r.id")
    rows = await database.fetch(f"{_SELECT}{_KEYS} WHERE {where}{bounds} {order}", *arguments, *more)
    return window.page([rotation_of(row) for row in rows])


async def count(workspace_id: str, now: int, *, open_only: bool) -> int:
    where, arguments = _where(workspace_id, now, open_only)
    rows = await database.fetch(f"SELECT count(*) AS n FROM rotation r{_KEYS} WHERE {where}", *arguments)
    return int(rows[0]["n"])


async def due(now: int) -> list[Rotation]:
    """Rotations that have to be ended, by their deadline or because one of their keys has ended; longest overdue first."""
    rows = await database.fetch(f"{_SELECT}{_KEYS} WHERE {_DUE} ORDER BY r.deadline, r.id", now, now, now)
    return [rotation_of(row) for row in rows]


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


async def end_every(workspace_id: str, ending: Ending) -> None:
    """Ends all rotations of a workspace that have not ended."""
    await database.fetch(
        "UPDATE rotation SET ended_at = {}, ended_by_kind = {}, ended_by_id = {}, ended_by_name = {}, outcome = {}"
        " WHERE workspace = {} AND ended_at IS NULL",
        *(ending.at, str(ending.by.kind), ending.by.id, ending.by.name, str(ending.outcome), workspace_id),
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


async def restore(rotation_id: str, user_agent: str) -> None:
    await database.fetch("DELETE FROM rotation_dismissal WHERE rotation = {} AND user_agent = {}", rotation_id, user_agent)


async def dismissed(rotation_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The dismissed families of each rotation; rotations without any are left out."""
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


def rotation_of(row: dict[str, Any]) -> Rotation:
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
