"""Rows of the audit log, and the head of each chain on the row that the change has locked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app import database
from app.access.actor import ActorKind, ActorRef, Request
from app.audit.entry import Entry, EntryFilter
from app.audit.tables import AuditEntryRow
from app.journal.lines import TAKEN
from app.tenancy.service import SYSTEM_CHAIN

# Actions that change an API key or a workspace itself, not what belongs to it.
CHANGED: Final = (
    "key.resumed",
    "key.revoked",
    "key.suspended",
    "key.updated",
    "plan.changed",
    "workspace.resumed",
    "workspace.suspended",
    "workspace.updated",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest position and MAC of a chain, and its wrapped key."""

    length: int
    mac: bytes
    wrapped_key: bytes


def _holder(chain: str) -> tuple[str, str | int]:
    return ("installation", 1) if chain == SYSTEM_CHAIN else ("workspace", chain)


async def head(chain: str) -> Head:
    table, key = _holder(chain)
    rows = await database.fetch(f"SELECT audit_length, audit_head, audit_key FROM {table} WHERE id = {{}}", key)
    return Head(rows[0]["audit_length"], _bytes(rows[0]["audit_head"]), _bytes(rows[0]["audit_key"]))


async def move_head(chain: str, length: int, mac: bytes) -> None:
    table, key = _holder(chain)
    await database.fetch(f"UPDATE {table} SET audit_length = {{}}, audit_head = {{}} WHERE id = {{}}", length, mac, key)


async def set_key(chain: str, wrapped: bytes) -> None:
    table, key = _holder(chain)
    await database.fetch(f"UPDATE {table} SET audit_key = {{}} WHERE id = {{}}", wrapped, key)


async def chains() -> list[str]:
    """Every chain there is, the system's first."""
    return [SYSTEM_CHAIN, *(row["id"] for row in await database.fetch("SELECT id FROM workspace ORDER BY id"))]


async def add(entry: Entry) -> None:
    await AuditEntryRow.insert(
        AuditEntryRow(
            id=entry.id,
            chain=entry.chain,
            position=entry.position,
            at=entry.at,
            actor_kind=str(entry.actor.kind),
            actor_id=entry.actor.id,
            actor_name=entry.actor.name,
            action=entry.action,
            target=entry.target,
            detail=json.dumps(entry.detail, sort_keys=True, ensure_ascii=False),
            address=entry.request.address,
            user_agent=entry.request.user_agent,
            request_id=entry.request.request_id,
            mac=entry.mac,
        )
    ).run()


async def newest(chain: str, *, limit: int, before: int | None = None, target: str | None = None) -> list[Entry]:
    """Entries of a chain, newest first, those before a position, those about one thing."""
    query = AuditEntryRow.select().where(AuditEntryRow.chain == chain)
    if before is not None:
        query = query.where(AuditEntryRow.position < before)
    if target is not None:
        query = query.where(AuditEntryRow.target == target)
    rows = await query.order_by(AuditEntryRow.position, ascending=False).limit(limit).run()
    return [_entry(row) for row in rows]


async def oldest(chain: str, *, limit: int, after: int = 0) -> list[Entry]:
    """Entries of a chain in their order, from the one after a position."""
    query = AuditEntryRow.select().where((AuditEntryRow.chain == chain) & (AuditEntryRow.position > after))
    return [_entry(row) for row in await query.order_by(AuditEntryRow.position).limit(limit).run()]


async def find(entry_id: str) -> Entry | None:
    """An entry of any chain. The caller of this function checks who may see it."""
    rows = await AuditEntryRow.select().where(AuditEntryRow.id == entry_id).run()
    return _entry(rows[0]) if rows else None


async def between(
    chain: str, filter: EntryFilter, *, limit: int, below: int | None, above: int | None, oldest_first: bool
) -> list[Entry]:
    """Entries of a chain between two positions, both left out, from either end."""
    where, arguments = _where(chain, filter)
    for sign, position in (("<", below), (">", above)):
        if position is not None:
            where, arguments = f"{where} AND position {sign} {{}}", [*arguments, position]
    order = f"position {'ASC' if oldest_first else 'DESC'}"
    rows = await database.fetch(f"SELECT * FROM audit_entry WHERE {where} ORDER BY {order} LIMIT {{}}", *arguments, limit)
    return [_entry(row) for row in rows]


async def last_at(targets: Collection[str]) -> dict[str, int]:
    """When each of these things was last CHANGED, of whatever chain; those that never were are left out."""
    actions, marks = ", ".join(f"'{action}'" for action in CHANGED), ", ".join("{}" for _ in targets)
    rows = await database.fetch(
        f"SELECT target, MAX(at) AS last FROM audit_entry WHERE target IN ({marks}) AND action IN ({actions}) GROUP BY target",
        *targets,
    )
    return {row["target"]: row["last"] for row in rows}


async def taken_since(instant: int) -> list[Entry]:
    """Entries of all chains about what was taken away or given back at or after an instant, each chain's in its order."""
    # Written out, not bound: only then does either database see that its index of these actions is meant.
    actions = ", ".join(f"'{action}'" for action in TAKEN)
    rows = await database.fetch(
        f"SELECT * FROM audit_entry WHERE action IN ({actions}) AND at >= {{}} ORDER BY chain, position", instant
    )
    return [_entry(row) for row in rows]


async def known(targets: Collection[str]) -> set[str]:
    """Those of these things of which any chain tells."""
    if not targets:
        return set()
    marks = ", ".join("{}" for _ in targets)
    rows = await database.fetch(f"SELECT DISTINCT target FROM audit_entry WHERE target IN ({marks})", *targets)
    return {row["target"] for row in rows}


async def said_since(chain: str, target: str, actions: Collection[str], instant: int) -> list[Entry]:
    """What a chain tells of these actions on a thing at or after an instant."""
    marks = ", ".join("{}" for _ in actions)
    rows = await database.fetch(
        f"SELECT * FROM audit_entry WHERE chain = {{}} AND target = {{}} AND at >= {{}} AND action IN ({marks}) ORDER BY position",
        chain,
        target,
        instant,
        *actions,
    )
    return [_entry(row) for row in rows]


async def count(chain: str, filter: EntryFilter) -> int:
    where, arguments = _where(chain, filter)
    return int((await database.fetch(f"SELECT count(*) AS n FROM audit_entry WHERE {where}", *arguments))[0]["n"])


async def times(chain: str, action: str, target: str) -> int:
    """How often this was done to this thing."""
    query = AuditEntryRow.count().where(AuditEntryRow.chain == chain, AuditEntryRow.target == target)
    return int(await query.where(AuditEntryRow.action == action).run())


async def ends() -> dict[str, tuple[int, bytes]]:
    """Length and head of every chain that has entries."""
    rows = await database.fetch(
        "SELECT id, audit_length, audit_head FROM workspace WHERE audit_length > 0"
        f" UNION ALL SELECT '{SYSTEM_CHAIN}', audit_length, audit_head FROM installation WHERE audit_length > 0"
    )
    return {row["id"]: (row["audit_length"], _bytes(row["audit_head"])) for row in rows}


def _where(chain: str, filter: EntryFilter) -> tuple[str, list[Any]]:
    wanted = {
        "chain = {}": chain,
        "target = {}": filter.target,
        "action = {}": filter.action,
        "actor_id = {}": filter.actor,
        "at >= {}": filter.since,
        "at < {}": filter.until,
    }
    given = {text: value for text, value in wanted.items() if value is not None}
    return " AND ".join(given), [*given.values()]


def _entry(row: dict[str, Any]) -> Entry:
    """Also of a row that somebody spoilt: its MAC does not fit then, and that is how it is told."""
    return Entry(
        id=row["id"],
        chain=row["chain"],
        position=row["position"],
        at=row["at"],
        actor=ActorRef(_kind(row["actor_kind"]), row["actor_id"], row["actor_name"]),
        action=row["action"],
        target=row["target"],
        detail=_detail(row["detail"]),
        request=Request(row["address"], row["user_agent"], row["request_id"]),
        mac=_bytes(row["mac"]),
    )


def _kind(text: Any) -> ActorKind:
    return ActorKind(text) if text in {str(kind) for kind in ActorKind} else ActorKind.SYSTEM


def _detail(text: Any) -> dict[str, Any]:
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        if isinstance(detail := json.loads(text), dict):
            return detail
    return {"unreadable": str(text)}


def _bytes(value: Any) -> bytes:
    """SQLite keeps a text in a column of bytes."""
    return value.encode() if isinstance(value, str) else bytes(value or b"")
