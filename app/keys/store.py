"""Rows of API keys. Digests go in and are never read out again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app import database
from app.access.actor import ActorKind, ActorRef
from app.keys import conditions
from app.keys.key import ApiKey, Reason, Revocation
from app.keys.listing import KeyFilter, KeyPage, Order, Window, name_key
from app.keys.rules import KeyInput
from app.keys.tables import ApiKeyRow, IdempotencyRow, KeyLastUsedRow

_SELECT = (
    "SELECT k.id, k.workspace, k.name, k.prefix, k.environment, k.permissions, k.allowed_ips, k.created_at,"
    " k.created_by_kind, k.created_by_id, k.created_by_name, k.expires_at, k.suspended_at, k.revoked_at, k.revoked_by_kind,"
    " k.revoked_by_id, k.revoked_by_name, k.revocation_reason, k.revocation_note, k.line_started_at, u.last_used_at, u.last_used_ip"
    " FROM api_key k LEFT JOIN key_last_used u ON u.key = k.id"
)


async def add(key: ApiKey, digest: bytes, pepper_version: int) -> None:
    """The key, and the row that will say when it was last used."""
    row = ApiKeyRow(
        id=key.id,
        workspace=key.workspace_id,
        name=key.name,
        name_key=name_key(key.name),
        prefix=key.prefix,
        digest=digest,
        pepper_version=pepper_version,
        environment=key.environment,
        permissions=" ".join(key.permissions),
        allowed_ips=" ".join(key.allowed_ips),
        created_at=key.created_at,
        created_by_kind=str(key.created_by.kind),
        created_by_id=key.created_by.id,
        created_by_name=key.created_by.name,
        expires_at=key.expires_at,
        line_started_at=key.line_started_at,
    )
    await ApiKeyRow.insert(row).run()
    await KeyLastUsedRow.insert(KeyLastUsedRow(key=key.id)).run()


async def workspace_of(key_id: str) -> str | None:
    row = await ApiKeyRow.select(ApiKeyRow.workspace).where(ApiKeyRow.id == key_id).first().run()
    return row["workspace"] if row else None


async def workspaces_of(key_ids: Collection[str]) -> dict[str, str]:
    """Key → workspace, of those of these keys that exist."""
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"SELECT id, workspace FROM api_key WHERE id IN ({marks})", *key_ids)
    return {row["id"]: row["workspace"] for row in rows}


async def find(workspace_id: str, key_id: str) -> ApiKey | None:
    found = await find_many(workspace_id, [key_id])
    return found[0] if found else None


async def find_many(workspace_id: str, key_ids: list[str]) -> list[ApiKey]:
    """Those of these keys that belong to the workspace, in no order."""
    if not key_ids:
        return []
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"{_SELECT} WHERE k.workspace = {{}} AND k.id IN ({marks})", workspace_id, *key_ids)
    return [_key(row) for row in rows]


async def by_id(key_ids: Collection[str]) -> dict[str, ApiKey]:
    """Those of these keys that exist, of whatever workspace: for keys that the caller has already been let into."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"{_SELECT} WHERE k.id IN ({marks})", *key_ids)
    return {row["id"]: _key(row) for row in rows}


async def find_by_digests(digests: tuple[bytes, ...]) -> ApiKey | None:
    marks = ", ".join("{}" for _ in digests)
    rows = await database.fetch(f"{_SELECT} WHERE k.digest IN ({marks})", *digests)
    return _key(rows[0]) if rows else None


async def page(workspace_id: str, filter: KeyFilter, order: Order, descending: bool, window: Window, now: int) -> KeyPage:
    """One page by keyset: its cost does not grow with how far one has gone."""
    where, arguments = conditions.where(workspace_id, filter, now)
    sort = conditions.sort_value(order, now)
    for place, ahead in ((window.after, not descending), (window.before, descending)):
        if place is not None:
            text, given = conditions.beyond(sort, place, ahead=ahead)
            where, arguments = f"{where} AND {text}", arguments + given
    direction = "ASC" if descending == window.backwards else "DESC"
    rows = await database.fetch(
        f"{_SELECT} WHERE {where} ORDER BY {sort[0]} {direction}, k.id {direction} LIMIT {{}}",
        *(*arguments, *sort[1], window.limit + 1),
    )
    keys = [_key(row) for row in rows[: window.limit]]
    more = len(rows) > window.limit
    if window.backwards:
        return KeyPage(tuple(reversed(keys)), has_next=window.before is not None, has_previous=more)
    return KeyPage(tuple(keys), has_next=more, has_previous=window.after is not None)


async def count(workspace_id: str, filter: KeyFilter, now: int) -> int:
    where, arguments = conditions.where(workspace_id, filter, now)
    rows = await database.fetch(
        f"SELECT count(*) AS n FROM api_key k LEFT JOIN key_last_used u ON u.key = k.id WHERE {where}", *arguments
    )
    return int(rows[0]["n"])


async def update(key_id: str, values: dict[str, Any]) -> None:
    """`values` by column name."""
    await ApiKeyRow.update(dict(values.items())).where(ApiKeyRow.id == key_id).run()


async def update_edited(key_id: str, new: KeyInput) -> None:
    values = {
        "name": new.name,
        "name_key": name_key(new.name),
        "permissions": " ".join(new.permissions),
        "allowed_ips": " ".join(new.allowed_ips),
        "expires_at": new.expires_at,
    }
    await update(key_id, values)


async def lock_use(key_id: str) -> int | None:
    """When the key was last used. Until the change ends no verification of it can be counted, so this stays true."""
    # An update that changes nothing takes the row's lock on both engines.
    rows = await database.fetch(
        "UPDATE key_last_used SET last_used_at = last_used_at WHERE key = {} RETURNING last_used_at", key_id
    )
    return rows[0]["last_used_at"] if rows else None


async def revoked_since(instant: int) -> list[tuple[str, int, str]]:
    """Id, time and reason of every key revoked at or after an instant, oldest first."""
    rows = await database.fetch(
        "SELECT id, revoked_at, revocation_reason FROM api_key WHERE revoked_at >= {} ORDER BY revoked_at, id", instant
    )
    return [(row["id"], row["revoked_at"], row["revocation_reason"]) for row in rows]


async def unrevoked(of: Collection[str] | None = None) -> dict[str, str]:
    """Key → workspace of every key that is not revoked, `of` these or of all; expired ones too."""
    if of is not None and not of:
        return {}
    among = "" if of is None else f" AND id IN ({', '.join('{}' for _ in of)})"
    rows = await database.fetch(f"SELECT id, workspace FROM api_key WHERE revoked_at IS NULL{among}", *(of or ()))
    return {row["id"]: row["workspace"] for row in rows}


async def held_names() -> list[tuple[str, str, tuple[str, ...]]]:
    """Id, environment and permissions of every key that is not revoked, for `doctor`."""
    rows = await database.fetch("SELECT id, environment, permissions FROM api_key WHERE revoked_at IS NULL ORDER BY id")
    return [(row["id"], row["environment"], tuple(row["permissions"].split())) for row in rows]


async def count_by_pepper(now: int) -> dict[int, int]:
    """How many living keys each pepper version still has."""
    rows = await database.fetch(
        "SELECT pepper_version, count(*) AS n FROM api_key"
        " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {}) GROUP BY pepper_version",
        now,
    )
    return {row["pepper_version"]: int(row["n"]) for row in rows}


async def find_repeat(scope: bytes, not_before: int) -> tuple[bytes, str] | None:
    """What an idempotency key made before: the digest of its input and the id of the result."""
    row = await IdempotencyRow.select().where(IdempotencyRow.scope == scope).first().run()
    return (bytes(row["input"]), row["result"]) if row and row["created_at"] >= not_before else None


async def remember(scope: bytes, input_digest: bytes, result: str, now: int) -> None:
    await IdempotencyRow.delete().where(IdempotencyRow.scope == scope).run()
    await IdempotencyRow.insert(IdempotencyRow(scope=scope, input=input_digest, result=result, created_at=now)).run()


async def forget_before(instant: int) -> None:
    """Idempotency keys have had their time."""
    await IdempotencyRow.delete().where(IdempotencyRow.created_at < instant).run()


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"],
        workspace_id=row["workspace"],
        name=row["name"],
        prefix=row["prefix"],
        environment=row["environment"],
        permissions=tuple(row["permissions"].split()),
        allowed_ips=tuple(row["allowed_ips"].split()),
        created_at=row["created_at"],
        created_by=ActorRef(ActorKind(row["created_by_kind"]), row["created_by_id"], row["created_by_name"]),
        expires_at=row["expires_at"],
        suspended_at=row["suspended_at"],
        revocation=_revocation(row) if row["revoked_at"] is not None else None,
        last_used_at=row["last_used_at"],
        last_used_ip=row["last_used_ip"],
        line_started_at=row["line_started_at"],
    )


def _revocation(row: dict[str, Any]) -> Revocation:
    by = ActorRef(ActorKind(row["revoked_by_kind"]), row["revoked_by_id"], row["revoked_by_name"])
    return Revocation(row["revoked_at"], by, Reason(row["revocation_reason"]), row["revocation_note"])
