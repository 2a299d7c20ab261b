"""Rows of the audit log, and the head of each chain in the row that the change has locked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from typing import Any, Final

from app import database
from app.access.actor import ActorKind, ActorRef, Request
from app.audit.entry import Entry, EntryFilter, Linked
from app.audit.filters_sql import distinct, where_of
from app.audit.tables import AuditEntryRow
from app.journal.lines import ACCESS_EVENTS
from app.paging import Page, Window
from app.tenancy.service import SYSTEM_CHAIN
from app.tenancy.store import Head, as_bytes, head_of

# Actions that change their target itself, not its parts.
CHANGED: Final = (
    "key.resumed",
    "key.revoked",
    "key.suspended",
    "key.updated",
    "management_key.revoked",
    "management_key.taken_over",
    "plan.changed",
    "rotation.caller_dismissed",
    "rotation.caller_restored",
    "rotation.cancelled",
    "rotation.completed",
    "rotation.extended",
    "rotation.successor_replaced",
    "webhook.disabled",
    "webhook.enabled",
    "webhook.secret_rotated",
    "webhook.updated",
    "workspace.resumed",
    "workspace.suspended",
    "workspace.updated",
)


def _holder(chain: str) -> tuple[str, str | int]:
    return ("installation", 1) if chain == SYSTEM_CHAIN else ("workspace", chain)


async def head(chain: str) -> Head:
    table, key = _holder(chain)
    rows = await database.fetch(f"SELECT audit_length, audit_head, audit_key FROM {table} WHERE id = {{}}", key)
    return head_of(rows[0])


async def move_head(chain: str, length: int, mac: bytes) -> None:
    table, key = _holder(chain)
    await database.fetch(f"UPDATE {table} SET audit_length = {{}}, audit_head = {{}} WHERE id = {{}}", length, mac, key)


async def set_key(chain: str, wrapped: bytes) -> None:
    table, key = _holder(chain)
    await database.fetch(f"UPDATE {table} SET audit_key = {{}} WHERE id = {{}}", wrapped, key)


async def chains() -> list[str]:
    """Every chain, the system's first."""
    return [SYSTEM_CHAIN, *(row["id"] for row in await database.fetch("SELECT id FROM workspace ORDER BY id"))]


async def without_workspace() -> list[str]:
    """Chains that have entries and neither a workspace nor are the system's."""
    rows = await database.fetch(
        "SELECT DISTINCT chain FROM audit_entry WHERE chain <> {} AND chain NOT IN (SELECT id FROM workspace)", SYSTEM_CHAIN
    )
    return [row["chain"] for row in rows]


async def before_first(chain: str) -> int | None:
    """The position of an entry that lies before the first one, where no entry can be."""
    rows = await database.fetch("SELECT position FROM audit_entry WHERE chain = {} AND position < 1 LIMIT 1", chain)
    return rows[0]["position"] if rows else None


async def has_after(chain: str, position: int) -> bool:
    """Whether a chain has entries after a position, readable or not."""
    rows = await database.fetch("SELECT 1 AS found FROM audit_entry WHERE chain = {} AND position > {} LIMIT 1", chain, position)
    return bool(rows)


async def add(entry: Entry) -> None:
    row = {
        "id": entry.id,
        "chain": entry.chain,
        "position": entry.position,
        "at": entry.at,
        "actor_kind": str(entry.actor.kind),
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "action": entry.action,
        "target": entry.target,
        "detail": json.dumps(entry.detail, sort_keys=True, ensure_ascii=False),
        "address": entry.request.address,
        "user_agent": entry.request.user_agent,
        "request_id": entry.request.request_id,
        "mac": entry.mac,
    }
    await database.insert(AuditEntryRow, row)


async def newest(chain: str, *, limit: int, before: int | None = None, target: str | None = None) -> list[Entry]:
    """Entries of a chain, newest first; optionally only those before a position or about one target."""
    query = AuditEntryRow.select().where(AuditEntryRow.chain == chain)
    if before is not None:
        query = query.where(AuditEntryRow.position < before)
    if target is not None:
        query = query.where(AuditEntryRow.target == target)
    rows = await query.order_by(AuditEntryRow.position, ascending=False).limit(limit).run()
    return [_entry(row) for row in rows]


async def oldest(chain: str, *, limit: int, after: int = 0) -> list[Entry]:
    """Entries of a chain, oldest first, after a position."""
    query = AuditEntryRow.select().where((AuditEntryRow.chain == chain) & (AuditEntryRow.position > after))
    return [_entry(row) for row in await query.order_by(AuditEntryRow.position).limit(limit).run()]


async def find(entry_id: str) -> Entry | None:
    """An entry of any chain. The caller of this function checks who may see it."""
    rows = await AuditEntryRow.select().where(AuditEntryRow.id == entry_id).run()
    return _entry(rows[0]) if rows else None


async def page(chain: str, filter: EntryFilter, window: Window, *, oldest_first: bool) -> Page[Entry]:
    """Entries of a chain that match the filter; a position is the position in the chain."""
    where, arguments = where_of(chain, filter)
    for sign, bound in zip("><" if oldest_first else "<>", (window.after, window.before), strict=True):
        if bound is not None:
            where, arguments = f"{where} AND position {sign} {{}}", [*arguments, *bound]
    order = f"position {'ASC' if oldest_first is not window.backwards else 'DESC'}"
    rows = await database.fetch(
        f"SELECT * FROM audit_entry WHERE {where} ORDER BY {order} LIMIT {{}}", *arguments, window.read_limit
    )
    return window.page([_entry(row) for row in rows])


async def linked(chain: str, filter: EntryFilter, *, after: int, until: int, limit: int) -> list[Linked]:
    """Entries of a chain that match the filter, oldest first, after one position and up to another, with the MACs before them."""
    where, arguments = where_of(chain, filter)
    rows = await database.fetch(
        "SELECT *, (SELECT p.mac FROM audit_entry p WHERE p.chain = audit_entry.chain AND p.position = audit_entry.position - 1)"
        f" AS previous FROM audit_entry WHERE {where} AND position > {{}} AND position <= {{}} ORDER BY position LIMIT {{}}",
        *(*arguments, after, until, limit),
    )
    return [Linked(_entry(row), as_bytes(row["previous"])) for row in rows]


async def actors(chain: str) -> list[ActorRef]:
    """Everyone who appears in a chain, under their newest name there."""
    newest = "WHERE chain = {} AND actor_id = found.value ORDER BY position DESC LIMIT 1"
    rows = await database.fetch(
        f"{distinct('actor_id')} SELECT found.value AS id,"
        f" (SELECT actor_kind FROM audit_entry {newest}) AS kind, (SELECT actor_name FROM audit_entry {newest}) AS name"
        " FROM found WHERE found.value IS NOT NULL",
        *(chain, chain, chain, chain),
    )
    return [ActorRef(_kind(row["kind"]), row["id"], row["name"]) for row in rows]


async def actions(chain: str) -> list[str]:
    """The actions that appear in a chain."""
    rows = await database.fetch(f"{distinct('action')} SELECT value FROM found WHERE value IS NOT NULL", chain, chain)
    return [row["value"] for row in rows]


async def last_at(chain: str, targets: Collection[str]) -> dict[str, int]:
    """When each of these targets of a chain was last CHANGED; never-changed ones are left out."""
    actions, marks = ", ".join(f"'{action}'" for action in CHANGED), ", ".join("{}" for _ in targets)
    rows = await database.fetch(
        # An expression of the chain, so that the database uses the index on targets: a chain is a thousand times as long.
        f"SELECT target, MAX(at) AS last FROM audit_entry WHERE target IN ({marks}) AND action IN ({actions})"
        " AND chain || '' = {} GROUP BY target",
        *(*targets, chain),
    )
    return {row["target"]: row["last"] for row in rows}


async def access_changes_since(instant: int) -> list[Entry]:
    """Entries of all chains about revocations and restorations at or after an instant, each chain's in its order."""
    # Literals, not parameters: only then do both databases use the partial index on these actions.
    actions = ", ".join(f"'{action}'" for action in ACCESS_EVENTS)
    rows = await database.fetch(
        f"SELECT * FROM audit_entry WHERE action IN ({actions}) AND at >= {{}} ORDER BY chain, position", instant
    )
    return [_entry(row) for row in rows]


async def known(targets: Collection[str]) -> set[str]:
    """The targets among these that appear in any chain."""
    if not targets:
        return set()
    marks = ", ".join("{}" for _ in targets)
    rows = await database.fetch(f"SELECT DISTINCT target FROM audit_entry WHERE target IN ({marks})", *targets)
    return {row["target"] for row in rows}


async def entries_about(chain: str, target: str, actions: Collection[str], instant: int) -> list[Entry]:
    """A chain's entries about these actions on a target at or after an instant."""
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
    where, arguments = where_of(chain, filter)
    return int((await database.fetch(f"SELECT count(*) AS n FROM audit_entry WHERE {where}", *arguments))[0]["n"])


async def times(chain: str, action: str, target: str) -> int:
    """How often this action was done to this target."""
    query = AuditEntryRow.count().where(AuditEntryRow.chain == chain, AuditEntryRow.target == target)
    return int(await query.where(AuditEntryRow.action == action).run())


async def ends() -> dict[str, tuple[int, bytes]]:
    """Length and head of every chain that has entries."""
    rows = await database.fetch(
        "SELECT id, audit_length, audit_head FROM workspace WHERE audit_length > 0"
        f" UNION ALL SELECT '{SYSTEM_CHAIN}', audit_length, audit_head FROM installation WHERE audit_length > 0"
    )
    return {row["id"]: (row["audit_length"], as_bytes(row["audit_head"])) for row in rows}


def _entry(row: dict[str, Any]) -> Entry:
    """Also accepts a tampered row: its MAC then does not match, which is how it is detected."""
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
        mac=as_bytes(row["mac"]),
    )


def _kind(text: Any) -> ActorKind:
    return ActorKind(text) if text in {str(kind) for kind in ActorKind} else ActorKind.SYSTEM


def _detail(text: Any) -> dict[str, Any]:
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        if isinstance(detail := json.loads(text), dict):
            return detail
    return {"unreadable": str(text)}
