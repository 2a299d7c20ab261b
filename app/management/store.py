"""Rows of management keys, turned into frozen data together with the person who made them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app import database
from app.access.actor import Scope
from app.management.key import ManagementKey
from app.management.tables import ManagementKeyRow
from app.tenancy.workspace import User

OPERATOR: Final = "operator"
Position = tuple[Any, ...]
_SELECT: Final = (
    "SELECT k.*, u.email AS maker_email, u.name AS maker_name, u.created_at AS maker_since"
    " FROM management_key k LEFT JOIN account u ON u.id = k.maker "
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A key and the pepper version its digest was made with."""

    key: ManagementKey
    pepper_version: int


async def find(workspace_id: str, key_id: str) -> ManagementKey | None:
    return _first(await database.fetch(_SELECT + "WHERE k.workspace = {} AND k.id = {}", workspace_id, key_id))


async def find_workspace(key_id: str) -> str | None:
    """The workspace a key belongs to: where the caller's right to know of it is then asked."""
    rows = await database.fetch("SELECT workspace FROM management_key WHERE id = {}", key_id)
    return rows[0]["workspace"] if rows else None


async def find_by_digest(digests: Collection[bytes]) -> Stored | None:
    """By the digest under the current pepper or the previous one; never by a part of the secret."""
    marks = ", ".join(["{}"] * len(digests))
    rows = await database.fetch(_SELECT + f"WHERE k.digest IN ({marks})", *digests)
    return Stored(_key(rows[0]), rows[0]["pepper_version"]) if rows else None


async def page(
    workspace_id: str, *, limit: int, after: Position | None, before: Position | None, backwards: bool
) -> list[ManagementKey]:
    """Keys between two positions of the list that begins with the newest; `backwards` reads them from its end."""
    template, arguments = _SELECT + "WHERE k.workspace = {}", [workspace_id]
    for position, comparison in ((after, "<"), (before, ">")):
        if position is not None:
            template += f" AND (k.created_at, k.id) {comparison} ({{}}, {{}})"
            arguments += [*position]
    direction = "ASC" if backwards else "DESC"
    rows = await database.fetch(f"{template} ORDER BY k.created_at {direction}, k.id {direction} LIMIT {{}}", *arguments, limit)
    return [_key(row) for row in rows]


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
    """How many living keys each pepper version still has."""
    rows = await database.fetch(
        "SELECT pepper_version, count(*) AS n FROM management_key WHERE revoked_at IS NULL AND expires_at > {}"
        " GROUP BY pepper_version",
        now,
    )
    return {row["pepper_version"]: int(row["n"]) for row in rows}


async def made_by(workspace_id: str, user_id: str, now: int) -> list[ManagementKey]:
    """The living keys of one maker, the oldest first."""
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
        maker=key.maker.id if key.maker else OPERATOR,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
    await ManagementKeyRow.insert(row).run()


async def revoke(key_id: str, now: int) -> None:
    await ManagementKeyRow.update({ManagementKeyRow.revoked_at: now}).where(ManagementKeyRow.id == key_id).run()


async def set_maker(key_id: str, user_id: str) -> None:
    await ManagementKeyRow.update({ManagementKeyRow.maker: user_id}).where(ManagementKeyRow.id == key_id).run()


async def touch(key_id: str, now: int, digest: bytes, pepper_version: int) -> None:
    """Remembers the use, and the digest under the pepper of today."""
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
        maker=maker,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
