"""Rows of one-time links, turned into frozen data."""

from __future__ import annotations

from typing import Any, Final

from app import database
from app.access.actor import Role
from app.clock import TOLERATED
from app.one_time_links.link import Link, Purpose
from app.one_time_links.tables import LinkRow

# A link is open if it was not used, has not expired, and was not created while the clock was ahead; `_open_at` has its arguments.
_OPEN: Final = "used_at IS NULL AND expires_at > {} AND created_at <= {}"


async def add(link: Link, digest: bytes) -> None:
    row = LinkRow(
        id=link.id,
        purpose=str(link.purpose),
        digest=digest,
        account=link.user_id,
        workspace=link.workspace_id,
        email=link.email,
        role=str(link.role) if link.role else None,
        created_by=link.created_by,
        created_at=link.created_at,
        expires_at=link.expires_at,
    )
    await LinkRow.insert(row).run()


async def find_open(purpose: Purpose, digest: bytes, now: int) -> Link | None:
    rows = await database.fetch(
        f"SELECT * FROM link WHERE digest = {{}} AND purpose = {{}} AND {_OPEN}", digest, str(purpose), *_open_at(now)
    )
    return _link(rows[0]) if rows else None


async def use(purpose: Purpose, digest: bytes, now: int) -> Link | None:
    """Marks an open link as used. If several requests use it at once, one gets it and the others get None."""
    rows = await database.fetch(
        f"UPDATE link SET used_at = {{}} WHERE digest = {{}} AND purpose = {{}} AND {_OPEN} RETURNING *",
        *(now, digest, str(purpose), *_open_at(now)),
    )
    return _link(rows[0]) if rows else None


async def open_invitations(workspace_id: str, now: int) -> list[Link]:
    """Oldest first."""
    rows = await database.fetch(
        f"SELECT * FROM link WHERE workspace = {{}} AND purpose = {{}} AND {_OPEN} ORDER BY created_at, id",
        *(workspace_id, str(Purpose.INVITATION), *_open_at(now)),
    )
    return [_link(row) for row in rows]


async def find_open_invitation(link_id: str, now: int) -> Link | None:
    """An open invitation to any workspace. The caller of this function checks who may see it."""
    rows = await database.fetch(
        f"SELECT * FROM link WHERE id = {{}} AND purpose = {{}} AND {_OPEN}", link_id, str(Purpose.INVITATION), *_open_at(now)
    )
    return _link(rows[0]) if rows else None


async def delete(link_id: str) -> None:
    await LinkRow.delete().where(LinkRow.id == link_id).run()


async def delete_of_workspace(workspace_id: str) -> None:
    """All links into a workspace."""
    await LinkRow.delete().where(LinkRow.workspace == workspace_id).run()


async def delete_all(purpose: Purpose, user_id: str | None = None) -> None:
    """All links for a purpose, or those of one user."""
    condition = LinkRow.purpose == str(purpose)
    await LinkRow.delete().where(condition & (LinkRow.account == user_id) if user_id else condition).run()


async def purge(now: int) -> None:
    """Deletes links that have expired or were created while the clock was ahead."""
    await LinkRow.delete().where((LinkRow.expires_at <= now) | (LinkRow.created_at > now + TOLERATED)).run()


def _open_at(now: int) -> tuple[int, int]:
    return now, now + TOLERATED


def _link(row: dict[str, Any]) -> Link:
    return Link(
        id=row["id"],
        purpose=Purpose(row["purpose"]),
        created_at=row["created_at"],
        user_id=row["account"],
        workspace_id=row["workspace"],
        email=row["email"],
        role=Role(row["role"]) if row["role"] else None,
        created_by=row["created_by"],
    )
