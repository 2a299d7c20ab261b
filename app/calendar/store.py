"""Rows of calendar links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app import database
from app.access.actor import Role
from app.tenancy.store import workspace_of
from app.tenancy.workspace import Workspace

# Former editors may still know the link, so it stops working when its creator loses that role.
_STANDS: Final = (
    " JOIN member m ON m.workspace = c.workspace AND m.account = c.created_by"
    f" AND m.role IN ({', '.join(repr(str(role)) for role in Role if role.includes(Role.EDITOR))})"
)


@dataclass(frozen=True, slots=True)
class CalendarLink:
    """Metadata of a link; not the link itself."""

    created_at: int
    created_by_name: str


async def put(workspace_id: str, digest: bytes, now: int, user_id: str, name: str) -> None:
    """Stores the workspace's only link, replacing any earlier one."""
    await database.fetch(
        "INSERT INTO calendar_link (workspace, digest, created_at, created_by, created_by_name) VALUES ({}, {}, {}, {}, {})"
        " ON CONFLICT (workspace) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at,"
        " created_by = excluded.created_by, created_by_name = excluded.created_by_name",
        workspace_id,
        digest,
        now,
        user_id,
        name,
    )


async def drop(workspace_id: str) -> bool:
    """Deletes the link; returns whether there was one."""
    return bool(await database.fetch("DELETE FROM calendar_link WHERE workspace = {} RETURNING workspace", workspace_id))


async def exists(workspace_id: str) -> bool:
    """Whether there is a link, active or not."""
    return bool(await database.fetch("SELECT 1 AS found FROM calendar_link WHERE workspace = {}", workspace_id))


async def find(workspace_id: str) -> CalendarLink | None:
    rows = await database.fetch(
        f"SELECT c.created_at, c.created_by_name FROM calendar_link c{_STANDS} WHERE c.workspace = {{}}", workspace_id
    )
    return CalendarLink(rows[0]["created_at"], rows[0]["created_by_name"]) if rows else None


async def find_workspace(digest: bytes) -> Workspace | None:
    """The workspace of this link."""
    rows = await database.fetch(
        f"SELECT w.* FROM calendar_link c{_STANDS} JOIN workspace w ON w.id = c.workspace WHERE c.digest = {{}}", digest
    )
    return workspace_of(rows[0]) if rows else None
