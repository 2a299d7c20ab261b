"""Facts about all keys of a workspace, each in one statement."""

from __future__ import annotations

from app import database
from app.database.sql import living as is_living
from app.keys.key import Reason
from app.keys.living import LeakedKey, LivingKey


async def living(workspace_id: str, now: int) -> list[LivingKey]:
    """The workspace's living keys, in no order."""
    rows = await database.tuples(
        "SELECT k.id, k.name, k.prefix, k.environment, k.permissions, k.created_at, k.expires_at,"
        f" COALESCE(k.line_started_at, k.created_at) FROM api_key k WHERE k.workspace = {{}} AND {is_living('k')}",
        workspace_id,
        now,
    )
    return [
        LivingKey(id, name, prefix, environment, tuple(permissions.split()), created_at, expires_at, lifetime_started_at)
        for id, name, prefix, environment, permissions, created_at, expires_at, lifetime_started_at in rows
    ]


async def leaked_since(workspace_id: str, instant: int) -> list[LeakedKey]:
    """The workspace's keys that were revoked at or after an instant because they were committed to a repository, newest first."""
    rows = await database.fetch(
        "SELECT id, name, prefix, revoked_at FROM api_key WHERE workspace = {} AND revoked_at >= {} AND revocation_reason = {}"
        " ORDER BY revoked_at DESC, id",
        *(workspace_id, instant, str(Reason.COMMITTED_TO_REPOSITORY)),
    )
    return [LeakedKey(row["id"], row["name"], row["prefix"], row["revoked_at"]) for row in rows]
