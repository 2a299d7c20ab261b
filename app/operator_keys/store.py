"""Rows of operator keys, turned into frozen data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app import database
from app.access.actor import OperatorScope
from app.operator_keys.operator_key import OperatorKey
from app.operator_keys.tables import OperatorKeyRow


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key, the pepper version its digest was made with, and the database's time."""

    key: OperatorKey
    pepper_version: int
    now: int


async def add(key: OperatorKey, digest: bytes, pepper_version: int) -> None:
    row = OperatorKeyRow(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        digest=digest,
        pepper_version=pepper_version,
        scopes=" ".join(key.scopes),
        allowed_ips=" ".join(key.allowed_ips),
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
    await OperatorKeyRow.insert(row).run()


async def keys() -> list[OperatorKey]:
    """Newest first, those that are over too."""
    rows = await OperatorKeyRow.select().order_by(OperatorKeyRow.created_at, OperatorKeyRow.id, ascending=False).run()
    return [_key(row) for row in rows]


async def find(key_id: str) -> OperatorKey | None:
    row = await OperatorKeyRow.select().where(OperatorKeyRow.id == key_id).first().run()
    return _key(row) if row else None


async def find_by_digest(digests: Collection[bytes]) -> StoredKey | None:
    """By the digest under the current pepper or the previous one; never by a part of the secret."""
    marks, (clock, instants) = ", ".join(["{}"] * len(digests)), database.clock()
    rows = await database.fetch(f"SELECT k.*, {clock} AS now FROM operator_key k WHERE k.digest IN ({marks})", *instants, *digests)
    return StoredKey(_key(rows[0]), rows[0]["pepper_version"], int(rows[0]["now"])) if rows else None


async def count_by_pepper(now: int) -> dict[int, int]:
    """The number of living keys by pepper version."""
    rows = await database.fetch(
        "SELECT pepper_version, count(*) AS n FROM operator_key WHERE revoked_at IS NULL AND expires_at > {}"
        " GROUP BY pepper_version",
        now,
    )
    return {row["pepper_version"]: int(row["n"]) for row in rows}


async def revoke(key_id: str, now: int) -> None:
    await OperatorKeyRow.update({OperatorKeyRow.revoked_at: now}).where(OperatorKeyRow.id == key_id).run()


async def touch(key_id: str, now: int, digest: bytes, pepper_version: int) -> None:
    """Stores the last use, and the digest under the current pepper."""
    await database.fetch(
        "UPDATE operator_key SET last_used_at = {}, digest = {}, pepper_version = {} WHERE id = {}",
        *(now, digest, pepper_version, key_id),
    )


def _key(row: dict[str, Any]) -> OperatorKey:
    return OperatorKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(OperatorScope(scope) for scope in row["scopes"].split()),
        allowed_ips=tuple(row["allowed_ips"].split()),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
