"""Rows of API keys. Digests go in and never leave this module."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app import catalogue, database
from app.access.actor import ActorKind, ActorRef
from app.database.sql import living
from app.keys import filters_sql
from app.keys.filters import KeyFilter, Order, name_key
from app.keys.key import LISTS, SETTINGS, ApiKey, KeySettings, Owner, Reason, Revocation
from app.keys.tables import ApiKeyRow, IdempotencyRow, ImportedKeyRow, KeyLastUsedRow
from app.paging import Page, Window

_SELECT = (
    f"SELECT k.id, k.workspace, {', '.join(f'k.{name}' for name in SETTINGS)}, k.prefix, k.created_at, k.created_by_kind,"
    " k.created_by_id, k.created_by_name, k.suspended_at, k.revoked_at, k.revoked_by_kind, k.revoked_by_id, k.revoked_by_name,"
    " k.revocation_reason, k.revocation_note, k.line_started_at, u.last_used_at, u.last_used_ip, o.name AS owner_name,"
    " EXISTS (SELECT 1 FROM member m WHERE m.workspace = k.workspace AND m.account = k.owner) AS owner_is_member"
    " FROM api_key k LEFT JOIN key_last_used u ON u.key = k.id LEFT JOIN account o ON o.id = k.owner"
)


async def add(key: ApiKey, digest: bytes, pepper_version: int, leak_digest: bytes | None) -> None:
    """Inserts the key, and the row that stores when it was last used."""
    row = {
        **_columns(key),
        "id": key.id,
        "workspace": key.workspace_id,
        "prefix": key.prefix,
        "digest": digest,
        "pepper_version": pepper_version,
        "leak_digest": leak_digest,
        "created_at": key.created_at,
        "created_by_kind": str(key.created_by.kind),
        "created_by_id": key.created_by.id,
        "created_by_name": key.created_by.name,
        "line_started_at": key.line_started_at,
    }
    await database.insert(ApiKeyRow, row)
    await database.insert(KeyLastUsedRow, {"key": key.id})


async def add_imported(key_id: str, source: str, external_id: str, algorithm: str, now: int) -> None:
    """Notes where a key was issued."""
    row = {"key": key_id, "source": source, "external_id": external_id, "algorithm": algorithm, "imported_at": now}
    await database.insert(ImportedKeyRow, row)


async def adopt(key_id: str, digest: bytes, pepper_version: int, leak_digest: bytes) -> None:
    """Stores the digests of an imported key's secret instead of that of its hash, once."""
    statement = "UPDATE api_key SET digest = {}, pepper_version = {}, leak_digest = {} WHERE id = {} AND pepper_version < 0"
    await database.fetch(statement, digest, pepper_version, leak_digest, key_id)
    await database.fetch("UPDATE imported_key SET algorithm = NULL WHERE key = {}", key_id)


async def is_imported(key_id: str) -> bool:
    """Whether the key was issued elsewhere."""
    return bool(await database.fetch("SELECT key FROM imported_key WHERE key = {}", key_id))


async def is_any_imported() -> bool:
    """Whether there are keys that were issued elsewhere, whose secrets have other formats."""
    return bool(await database.fetch("SELECT key FROM imported_key LIMIT 1"))


async def count_unused_imports(now: int) -> int:
    """The number of living imported keys that still verify by the hash that they came with."""
    rows = await database.fetch(f"SELECT count(*) AS n FROM api_key k WHERE k.pepper_version < 0 AND {living('k')}", now)
    return int(rows[0]["n"])


async def workspace_of(key_id: str) -> str | None:
    row = await ApiKeyRow.select(ApiKeyRow.workspace).where(ApiKeyRow.id == key_id).first().run()
    return row["workspace"] if row else None


async def workspaces_of(key_ids: Collection[str]) -> dict[str, str]:
    """Key → workspace, for the keys among these that exist."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"SELECT id, workspace FROM api_key WHERE id IN ({marks})", *key_ids)
    return {row["id"]: row["workspace"] for row in rows}


async def find(workspace_id: str, key_id: str) -> ApiKey | None:
    found = await find_many(workspace_id, [key_id])
    return found[0] if found else None


async def find_many(workspace_id: str, key_ids: Collection[str]) -> list[ApiKey]:
    """The keys among these that belong to the workspace, in no order."""
    if not key_ids:
        return []
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"{_SELECT} WHERE k.workspace = {{}} AND k.id IN ({marks})", workspace_id, *key_ids)
    return [_key(row) for row in rows]


async def by_id(key_ids: Collection[str]) -> dict[str, ApiKey]:
    """The keys among these that exist, in any workspace. The caller has already checked access."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"{_SELECT} WHERE k.id IN ({marks})", *key_ids)
    return {row["id"]: _key(row) for row in rows}


async def find_by_digests(digests: tuple[bytes, ...]) -> list[ApiKey]:
    """The keys with these digests, oldest first."""
    marks = ", ".join("{}" for _ in digests)
    rows = await database.fetch(f"{_SELECT} WHERE k.digest IN ({marks}) ORDER BY k.created_at, k.id", *digests)
    return [_key(row) for row in rows]


async def find_by_leak_digests(workspace_id: str, digests: Collection[bytes]) -> dict[bytes, ApiKey]:
    """The keys of the workspace with these leak digests. Of several with the same one, a living one: it is to be ended next."""
    if not digests:
        return {}
    marks = ", ".join("{}" for _ in digests)
    statement = f"SELECT id, leak_digest FROM api_key WHERE workspace = {{}} AND leak_digest IN ({marks})"
    digest_of = {row["id"]: bytes(row["leak_digest"]) for row in await database.fetch(statement, workspace_id, *digests)}
    found = await find_many(workspace_id, digest_of)
    return {digest_of[key.id]: key for key in sorted(found, key=lambda key: key.revocation is None)}


async def page(workspace_id: str, filter: KeyFilter, order: Order, descending: bool, window: Window, now: int) -> Page[ApiKey]:
    """One page by keyset pagination: its cost does not depend on the position."""
    known = catalogue.current()
    where, arguments = filters_sql.where(workspace_id, filter, known, now)
    sort = filters_sql.sort_value(order, known, now)
    for position, ahead in ((window.after, not descending), (window.before, descending)):
        if position is not None:
            text, given = filters_sql.beyond(sort, position, ahead=ahead)
            where, arguments = f"{where} AND {text}", arguments + given
    direction = "ASC" if descending == window.backwards else "DESC"
    rows = await database.fetch(
        f"{_SELECT} WHERE {where} ORDER BY {sort[0]} {direction}, k.id {direction} LIMIT {{}}",
        *(*arguments, *sort[1], window.read_limit),
    )
    return window.page([_key(row) for row in rows])


async def count(workspace_id: str, filter: KeyFilter, now: int) -> int:
    where, arguments = filters_sql.where(workspace_id, filter, catalogue.current(), now)
    rows = await database.fetch(
        f"SELECT count(*) AS n FROM api_key k LEFT JOIN key_last_used u ON u.key = k.id WHERE {where}", *arguments
    )
    return int(rows[0]["n"])


async def update(key_id: str, values: dict[str, Any]) -> None:
    """`values` by column name."""
    await ApiKeyRow.update(dict(values.items())).where(ApiKeyRow.id == key_id).run()


async def revoke_every(workspace_id: str, values: dict[str, Any]) -> list[str]:
    """Revokes all keys of a workspace that are not revoked, expired ones too, in one statement. `values` by column name."""
    columns = ", ".join(f"{name} = {{}}" for name in values)
    rows = await database.fetch(
        f"UPDATE api_key SET {columns} WHERE workspace = {{}} AND revoked_at IS NULL RETURNING id", *values.values(), workspace_id
    )
    return sorted(row["id"] for row in rows)


async def update_settings(key_id: str, new: KeySettings) -> None:
    await update(key_id, _columns(new))


async def lock_use(key_id: str) -> int | None:
    """When the key was last used, by its counter. Until the change ends, nobody else changes that."""
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
    """Key → workspace of every key that is not revoked, among `of` or among all; includes expired ones."""
    if of is not None and not of:
        return {}
    among = "" if of is None else f" AND id IN ({', '.join('{}' for _ in of)})"
    rows = await database.fetch(f"SELECT id, workspace FROM api_key WHERE revoked_at IS NULL{among}", *(of or ()))
    return {row["id"]: row["workspace"] for row in rows}


async def is_permission_held(name: str) -> bool:
    """Whether any unrevoked key has this permission, which may have been removed from the catalogue."""
    rows = await database.fetch(
        "SELECT 1 AS held FROM api_key WHERE revoked_at IS NULL AND (' ' || permissions || ' ') LIKE {} ESCAPE '!' LIMIT 1",
        f"% {filters_sql.literal(name)} %",
    )
    return bool(rows)


async def is_environment_held(name: str) -> bool:
    """Whether any unrevoked key is in this environment, which may have been removed from the catalogue."""
    rows = await database.fetch("SELECT 1 AS held FROM api_key WHERE revoked_at IS NULL AND environment = {} LIMIT 1", name)
    return bool(rows)


async def redigest(key_id: str, digest: bytes, pepper_version: int) -> None:
    """Stores the key's digest under a newer pepper; never replaces it by one under an older pepper."""
    await database.fetch(
        "UPDATE api_key SET digest = {}, pepper_version = {} WHERE id = {} AND pepper_version < {}",
        *(digest, pepper_version, key_id, pepper_version),
    )


async def held_names() -> list[tuple[str, str, tuple[str, ...]]]:
    """Id, environment and permissions of every key that is not revoked, for `doctor`."""
    rows = await database.fetch("SELECT id, environment, permissions FROM api_key WHERE revoked_at IS NULL ORDER BY id")
    return [(row["id"], row["environment"], tuple(row["permissions"].split())) for row in rows]


async def count_by_pepper(now: int) -> dict[int, int]:
    """The number of living keys by pepper version."""
    rows = await database.fetch(
        f"SELECT abs(k.pepper_version) AS version, count(*) AS n FROM api_key k WHERE {living('k')} GROUP BY 1", now
    )
    return {row["version"]: int(row["n"]) for row in rows}


async def find_repeat(scope: bytes, not_before: int) -> tuple[bytes, str] | None:
    """The earlier use of an idempotency key: the digest of its input and the id of the result."""
    row = await IdempotencyRow.select().where(IdempotencyRow.scope == scope).first().run()
    return (bytes(row["input"]), row["result"]) if row and row["created_at"] >= not_before else None


async def remember(scope: bytes, input_digest: bytes, result: str, now: int) -> None:
    await IdempotencyRow.delete().where(IdempotencyRow.scope == scope).run()
    await IdempotencyRow.insert(IdempotencyRow(scope=scope, input=input_digest, result=result, created_at=now)).run()


async def forget_before(instant: int) -> None:
    """Deletes expired idempotency keys."""
    await IdempotencyRow.delete().where(IdempotencyRow.created_at < instant).run()


async def bring_repeats_back(now: int, ahead: int) -> None:
    """Moves idempotency keys that are stored with an instant after `ahead` to `now`."""
    await IdempotencyRow.update({IdempotencyRow.created_at: now}).where(IdempotencyRow.created_at > ahead).run()


def _columns(settings: KeySettings) -> dict[str, Any]:
    """The columns of settings; a list is stored as one text with blanks between its words."""
    texts = {name: " ".join(value) if name in LISTS else value for name, value in settings.values().items()}
    return {**texts, "owner": settings.owner.id if settings.owner else None, "name_key": name_key(settings.name)}


def _settings(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: tuple(row[name].split()) if name in LISTS else row[name] for name in SETTINGS}
    return {**values, "owner": _owner(row) if row["owner"] is not None else None}


def _owner(row: dict[str, Any]) -> Owner:
    return Owner(row["owner"], row["owner_name"] or "", bool(row["owner_is_member"]))


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(
        **_settings(row),
        id=row["id"],
        workspace_id=row["workspace"],
        prefix=row["prefix"],
        created_at=row["created_at"],
        created_by=ActorRef(ActorKind(row["created_by_kind"]), row["created_by_id"], row["created_by_name"]),
        suspended_at=row["suspended_at"],
        revocation=_revocation(row) if row["revoked_at"] is not None else None,
        last_used_at=row["last_used_at"],
        last_used_ip=row["last_used_ip"],
        line_started_at=row["line_started_at"],
    )


def _revocation(row: dict[str, Any]) -> Revocation:
    by = ActorRef(ActorKind(row["revoked_by_kind"]), row["revoked_by_id"], row["revoked_by_name"])
    return Revocation(row["revoked_at"], by, Reason(row["revocation_reason"]), row["revocation_note"])
