"""Rows of workspaces and members, turned into frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app import database
from app.access.actor import Role
from app.tenancy.tables import InstallationRow, MemberRow, WorkspaceRow
from app.tenancy.workspace import BusinessHours, Member, Workspace
from app.users.store import user_of

_MEMBER: Final = (
    "SELECT u.*, m.id AS member_id, m.workspace AS workspace_id, m.role AS member_role, m.created_at AS joined_at"
    " FROM member m JOIN account u ON u.id = m.account "
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest position and MAC of an audit chain, and its wrapped key."""

    length: int
    mac: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class Locked:
    """A workspace as the change that has locked it sees it, at `now`, with the head of its audit chain."""

    workspace: Workspace
    now: int
    head: Head


# A workspace, the role a user holds there now, and the database's time.
Membership: TypeAlias = tuple[Workspace, Role, int]


def workspace_of(row: dict[str, Any]) -> Workspace:
    days = tuple(row["business_days"].split()) if row["business_days"] else ()
    hours = BusinessHours(days, row["business_opens"], row["business_closes"]) if days else None
    return Workspace(
        row["id"],
        row["slug"],
        row["name"],
        row["plan"],
        row["timezone"],
        hours,
        row["created_at"],
        row["suspended_at"],
        row["webhooks"],
        bool(row["logs_requests"]),
        row["deleted_at"],
    )


def head_of(row: dict[str, Any]) -> Head:
    """From the row of a workspace or of the installation."""
    return Head(row["audit_length"], as_bytes(row["audit_head"]), as_bytes(row["audit_key"]))


def as_bytes(value: Any) -> bytes:
    """SQLite can hold text in a column of bytes."""
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def settings_of(workspace: Workspace) -> dict[str, Any]:
    """The settings that owners can change, by column name."""
    hours = workspace.business_hours
    return {
        "name": workspace.name,
        "timezone": workspace.timezone,
        "business_days": " ".join(hours.days) if hours else None,
        "business_opens": hours.opens if hours else None,
        "business_closes": hours.closes if hours else None,
        "logs_requests": int(workspace.logs_requests),
    }


async def find(workspace_id: str) -> Workspace | None:
    row = await WorkspaceRow.select().where(WorkspaceRow.id == workspace_id).first().run()
    return workspace_of(row) if row else None


async def find_now(slug: str | None, workspace_id: str | None) -> tuple[Workspace, int] | None:
    """The workspace of this slug, or of this id, and the database's time."""
    clock, instants = database.clock()
    column, value = ("slug", slug) if slug is not None else ("id", workspace_id)
    rows = await database.fetch(f"SELECT w.*, {clock} AS now FROM workspace w WHERE w.{column} = {{}}", *instants, value)
    return (workspace_of(rows[0]), int(rows[0]["now"])) if rows else None


async def find_by_slug(slug: str) -> Workspace | None:
    row = await WorkspaceRow.select().where(WorkspaceRow.slug == slug).first().run()
    return workspace_of(row) if row else None


async def find_with_role(slug: str | None, workspace_id: str | None, user_id: str) -> Membership | None:
    """The workspace of this slug (or id) if the user is a member of it."""
    found = await _memberships("m.account = {} AND (w.slug = {} OR w.id = {})", user_id, slug or "", workspace_id or "")
    return found[0] if found else None


async def of_user(user_id: str) -> list[Membership]:
    """Every workspace the user belongs to, by name."""
    return await _memberships("m.account = {} ORDER BY w.name, w.id", user_id)


async def _memberships(where: str, *arguments: Any) -> list[Membership]:
    clock, instants = database.clock()
    rows = await database.fetch(
        f"SELECT w.*, m.role AS member_role, {clock} AS now FROM workspace w JOIN member m ON m.workspace = w.id WHERE {where}",
        *(*instants, *arguments),
    )
    return [(workspace_of(row), Role(row["member_role"]), int(row["now"])) for row in rows]


async def members(workspace_id: str) -> list[Member]:
    """Oldest first."""
    rows = await database.fetch(_MEMBER + "WHERE m.workspace = {} ORDER BY m.created_at, m.id", workspace_id)
    return [_member(row) for row in rows]


async def member_by_id(member_id: str) -> Member | None:
    """A member of any workspace. The caller of this function checks who may see it."""
    rows = await database.fetch(_MEMBER + "WHERE m.id = {}", member_id)
    return _member(rows[0]) if rows else None


async def find_member(workspace_id: str, user_id: str) -> Member | None:
    rows = await database.fetch(_MEMBER + "WHERE m.workspace = {} AND m.account = {}", workspace_id, user_id)
    return _member(rows[0]) if rows else None


async def lock(slug: str | None, workspace_id: str | None, *, member: str | None = None, only: str | None = None) -> Locked | None:
    """Updates the revision of the workspace of this slug (or id): a change of it waits here for the previous one. With a
    `member` or `only` a workspace's id, it must be one that this user belongs to, or this one."""
    clock, instants = database.clock()
    rows = await database.fetch(
        "UPDATE workspace SET revision = revision + 1 WHERE (slug = {} OR id = {}) AND ({} = '' OR id = {})"
        " AND ({} = '' OR EXISTS (SELECT 1 FROM member m WHERE m.workspace = workspace.id AND m.account = {}))"
        f" RETURNING *, {clock} AS now",
        *(slug or "", workspace_id or "", only or "", only or "", member or "", member or "", *instants),
    )
    return Locked(workspace_of(rows[0]), int(rows[0]["now"]), head_of(rows[0])) if rows else None


async def lock_installation() -> None:
    """Like `lock`, for data outside workspaces."""
    await database.fetch("UPDATE installation SET revision = revision + 1 WHERE id = 1")


async def ensure_installation(audit_key: bytes) -> None:
    """Creates the installation's only row, or keeps the existing one with its key."""
    row = InstallationRow(id=1, revision=0, audit_length=0, audit_head=b"", audit_key=audit_key)
    await InstallationRow.insert(row).on_conflict(target=InstallationRow.id, action="DO NOTHING").run()


async def add(workspace: Workspace, audit_key: bytes) -> None:
    await WorkspaceRow.insert(
        WorkspaceRow(
            id=workspace.id,
            slug=workspace.slug,
            name=workspace.name,
            plan=workspace.plan,
            timezone=workspace.timezone,
            created_at=workspace.created_at,
            audit_key=audit_key,
        )
    ).run()


async def slugs_like(slug: str) -> set[str]:
    """The slugs in use that equal this one, or begin with it and a hyphen."""
    rows = await database.fetch("SELECT slug FROM workspace WHERE slug = {} OR slug LIKE {}", slug, f"{slug}-%")
    return {row["slug"] for row in rows}


async def update(workspace_id: str, values: dict[str, Any]) -> None:
    """`values` by column name."""
    await WorkspaceRow.update(dict(values.items())).where(WorkspaceRow.id == workspace_id).run()


async def set_webhooks(workspace_id: str, number: int) -> None:
    """How many enabled webhooks the workspace has."""
    await WorkspaceRow.update({WorkspaceRow.webhooks: number}).where(WorkspaceRow.id == workspace_id).run()


async def add_member(member: Member) -> None:
    row = MemberRow(
        id=member.id, workspace=member.workspace_id, account=member.user.id, role=str(member.role), created_at=member.created_at
    )
    await MemberRow.insert(row).run()


async def set_role(workspace_id: str, user_id: str, role: Role) -> None:
    await (
        MemberRow.update({MemberRow.role: str(role)})
        .where((MemberRow.workspace == workspace_id) & (MemberRow.account == user_id))
        .run()
    )


async def remove_member(workspace_id: str, user_id: str) -> None:
    await MemberRow.delete().where((MemberRow.workspace == workspace_id) & (MemberRow.account == user_id)).run()


async def count_owners(workspace_id: str) -> int:
    return int(await MemberRow.count().where((MemberRow.workspace == workspace_id) & (MemberRow.role == str(Role.OWNER))).run())


async def any_owner_exists() -> bool:
    """Whether any workspace of this installation has an owner."""
    return bool(await database.fetch("SELECT id FROM member WHERE role = {} LIMIT 1", str(Role.OWNER)))


def _member(row: dict[str, Any]) -> Member:
    return Member(row["member_id"], row["workspace_id"], user_of(row), Role(row["member_role"]), row["joined_at"])
