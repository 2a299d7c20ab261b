"""Rows of confirmations and visits, turned into frozen data."""

from __future__ import annotations

from app import database
from app.access.actor import ActorKind, ActorRef
from app.checklist.item import Attestation, ItemName, Visit


async def attestations(workspace_id: str) -> dict[ItemName, Attestation]:
    """The latest confirmation of each item. One of an item that no longer exists is left out."""
    rows = await database.fetch(
        "SELECT item, at, by_kind, by_id, by_name, runbook_url FROM checklist_attestation WHERE workspace = {}", workspace_id
    )
    return {
        name: Attestation(name, row["at"], ActorRef(ActorKind(row["by_kind"]), row["by_id"], row["by_name"]), row["runbook_url"])
        for row in rows
        if row["item"] in set(ItemName) and (name := ItemName(row["item"]))
    }


async def put_attestation(workspace_id: str, attestation: Attestation) -> None:
    """Replaces an earlier confirmation of the item."""
    by = attestation.by
    await database.fetch(
        "INSERT INTO checklist_attestation (workspace, item, at, by_kind, by_id, by_name, runbook_url)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}) ON CONFLICT (workspace, item) DO UPDATE SET at = excluded.at,"
        " by_kind = excluded.by_kind, by_id = excluded.by_id, by_name = excluded.by_name, runbook_url = excluded.runbook_url",
        *(workspace_id, str(attestation.item), attestation.at, str(by.kind), by.id, by.name, attestation.runbook_url),
    )


async def visits(workspace_id: str) -> list[Visit]:
    """The last visit of each present member, newest first."""
    rows = await database.fetch(
        "SELECT v.account, u.name, v.at FROM usage_visit v JOIN account u ON u.id = v.account"
        " JOIN member m ON m.workspace = v.workspace AND m.account = v.account"
        " WHERE v.workspace = {} ORDER BY v.at DESC, v.account",
        workspace_id,
    )
    return [Visit(row["account"], row["name"], row["at"]) for row in rows]


async def visited_since(workspace_id: str, user_id: str, instant: int) -> bool:
    """Whether a visit of the user at or after an instant is stored."""
    rows = await database.fetch(
        "SELECT 1 AS found FROM usage_visit WHERE workspace = {} AND account = {} AND at >= {}", workspace_id, user_id, instant
    )
    return bool(rows)


async def put_visit(workspace_id: str, user_id: str, now: int) -> None:
    await database.fetch(
        "INSERT INTO usage_visit (workspace, account, at) VALUES ({}, {}, {})"
        " ON CONFLICT (workspace, account) DO UPDATE SET at = excluded.at",
        *(workspace_id, user_id, now),
    )
