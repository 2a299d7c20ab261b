"""Rows of management keys, turned into frozen data together with the user who made them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app import database
from app.access.actor import Scope
from app.database.sql import newest_first
from app.management_keys.management_key import ManagementKey
from app.management_keys.tables import ManagementKeyRow
from app.paging import Page, Window
from app.users.user import User

OPERATOR: Final = "operator"
_SELECT: Final = (
    "SELECT k.*, u.email AS maker_email, u.name AS maker_name, u.created_at AS maker_since"
    " FROM management_key k LEFT JOIN account u ON u.id = k.maker "
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key, the pepper version its digest was made with, and the database's time."""

    key: ManagementKey
    pepper_version: int
    now: int


async def find(workspace_id: str, key_id: str) -> ManagementKey | None:
    return _first(await database.fetch(_SELECT + "WHERE k.workspace = {} AND k.id = {}", workspace_id, key_id))


async def find_workspace(key_id: str) -> str | None:
    """The workspace of a key. The caller of this function checks access."""
    rows = await database.fetch("SELECT workspace FROM management_key WHERE id = {}", key_id)
    return rows[0]["workspace"] if rows else None


async def find_by_digest(digests: Collection[bytes]) -> StoredKey | None:
    """By the digest under the current pepper or the previous one; never by a part of the secret."""
    marks, (clock, instants) = ", ".join(["{}"] * len(digests)), database.clock()
    rows = await database.fetch(
        f"SELECT found.*, {clock} AS now FROM ({_SELECT}WHERE k.digest IN ({marks})) found", *instants, *digests
    )
    return StoredKey(_key(rows[0]), rows[0]["pepper_version"], int(rows[0]["now"])) if rows else None


async def page(workspace_id: str, window: Window) -> Page[ManagementKey]:
    """Newest first; a position is `created_at` and the id."""
    bounds, order, arguments = newest_first(window, "k.created_at", "k.id")
    rows = await database.fetch(f"{_SELECT}WHERE k.workspace = {{}}{bounds} {order}", workspace_id, *arguments)
    return window.page([_key(row) for row in rows])


async def count(workspace_id: str) -> int:
    return int(await ManagementKeyRow.count().where(ManagementKeyRow.workspace == workspace_id).run())


async def count_living(workspace_id: str, now: int) -> int:
    rows = await database.fetch(
        "SELECT count(*) AS living FROM management_key WHERE workspace = {} AND revoked_at IS NULL AND expires_at > {}",
        workspace_id,
        now,
    )
    return int(rows[0]["living"])


async def count_by_pepper(now: int) -> dict[int, int]:
    """The number of living keys by pepper version."""
    rows = await database.fetch(
        "SELECT pepper_version, count(*) AS n FROM management_key WHERE revoked_at IS NULL AND expires_at > {}"
        " GROUP BY pepper_version",
        now,
    )
    return {row["pepper_version"]: int(row["n"]) for row in rows}


async def made_by(workspace_id: str, user_id: str, now: int) -> list[ManagementKey]:
    """The living keys of one maker, oldest first."""
    return [
        _key(row)
        for row in await database.fetch(
            _SELECT
            + "WHERE k.workspace = {} AND k.maker = {} AND k.revoked_at IS NULL AND k.expires_at > {} ORDER BY k.created_at, k.id",
            workspace_id,
            user_id,
            now,
        )
    ]


async def add(key: ManagementKey, digest: bytes, pepper_version: int) -> None:
    row = ManagementKeyRow(
        id=key.id,
        workspace=key.workspace_id,
        name=key.name,
        prefix=key.prefix,
        digest=digest,
        pepper_version=pepper_version,
        scopes=" ".join(key.scopes),
        allowed_ips=" ".join(key.allowed_ips),
        maker=key.maker.id if key.maker else OPERATOR,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
    await ManagementKeyRow.insert(row).run()


async def revoke(key_id: str, now: int) -> None:
    await ManagementKeyRow.update({ManagementKeyRow.revoked_at: now}).where(ManagementKeyRow.id == key_id).run()


async def revoke_every(workspace_id: str, now: int) -> int:
    """Revokes all keys of a workspace; returns how many."""
    rows = await database.fetch(
        "UPDATE management_key SET revoked_at = {} WHERE workspace = {} AND revoked_at IS NULL RETURNING id", now, workspace_id
    )
    return len(rows)


async def set_maker(key_id: str, user_id: str) -> None:
    await ManagementKeyRow.update({ManagementKeyRow.maker: user_id}).where(ManagementKeyRow.id == key_id).run()


async def touch(key_id: str, now: int, digest: bytes, pepper_version: int) -> None:
    """Stores the last use, and the digest under the current pepper."""
    await (
        ManagementKeyRow.update(
            {
                ManagementKeyRow.last_used_at: now,
                ManagementKeyRow.digest: digest,
                ManagementKeyRow.pepper_version: pepper_version,
            }
        )
        .where(ManagementKeyRow.id == key_id)
        .run()
    )


def _first(rows: list[dict[str, Any]]) -> ManagementKey | None:
    return _key(rows[0]) if rows else None


def _key(row: dict[str, Any]) -> ManagementKey:
    maker = User(row["maker"], row["maker_email"], row["maker_name"], row["maker_since"]) if row["maker_email"] else None
    return ManagementKey(
        id=row["id"],
        workspace_id=row["workspace"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(Scope(scope) for scope in row["scopes"].split()),
        allowed_ips=tuple(row["allowed_ips"].split()),
        maker=maker,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
