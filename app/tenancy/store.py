"""Rows of workspaces, users and members, turned into frozen data."""

from __future__ import annotations

from typing import Any, Final

from app import database
from app.access.actor import Role
from app.tenancy.tables import InstallationRow, MemberRow, UserRow, WorkspaceRow
from app.tenancy.workspace import BusinessHours, Member, User, Workspace

_MEMBER: Final = (
    "SELECT u.*, m.id AS member_id, m.workspace AS place, m.role AS member_role, m.created_at AS joined_at"
    " FROM member m JOIN account u ON u.id = m.account "
)


def workspace_of(row: dict[str, Any]) -> Workspace:
    days = tuple(row["business_days"].split()) if row["business_days"] else ()
    hours = BusinessHours(days, row["business_opens"], row["business_closes"]) if days else None
    return Workspace(
        row["id"], row["slug"], row["name"], row["plan"], row["timezone"], hours, row["created_at"], row["suspended_at"]
    )


def user_of(row: dict[str, Any]) -> User:
    return User(row["id"], row["email"], row["name"], row["created_at"])


def settings_of(workspace: Workspace) -> dict[str, Any]:
    """What its owners can change, by column name."""
    hours = workspace.business_hours
    return {
        "name": workspace.name,
        "timezone": workspace.timezone,
        "business_days": " ".join(hours.days) if hours else None,
        "business_opens": hours.opens if hours else None,
        "business_closes": hours.closes if hours else None,
    }


async def find(workspace_id: str) -> Workspace | None:
    row = await WorkspaceRow.select().where(WorkspaceRow.id == workspace_id).first().run()
    return workspace_of(row) if row else None


async def find_by_slug(slug: str) -> Workspace | None:
    row = await WorkspaceRow.select().where(WorkspaceRow.slug == slug).first().run()
    return workspace_of(row) if row else None


async def find_with_role(slug: str | None, workspace_id: str | None, user_id: str) -> tuple[Workspace, Role] | None:
    """The workspace of this slug (or id) if the user is a member of it, with the role held now."""
    rows = await database.fetch(
        "SELECT w.*, m.role AS member_role FROM workspace w JOIN member m ON m.workspace = w.id"
        " WHERE m.account = {} AND (w.slug = {} OR w.id = {})",
        user_id,
        slug or "",
        workspace_id or "",
    )
    return (workspace_of(rows[0]), Role(rows[0]["member_role"])) if rows else None


async def of_user(user_id: str) -> list[tuple[Workspace, Role]]:
    """Every workspace the user belongs to, by name."""
    rows = await database.fetch(
        "SELECT w.*, m.role AS member_role FROM workspace w JOIN member m ON m.workspace = w.id"
        " WHERE m.account = {} ORDER BY w.name, w.id",
        user_id,
    )
    return [(workspace_of(row), Role(row["member_role"])) for row in rows]


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


async def lock(workspace_id: str) -> Workspace | None:
    """Updates the workspace's revision: whoever changes anything of it waits here for whoever does so already."""
    rows = await database.fetch("UPDATE workspace SET revision = revision + 1 WHERE id = {} RETURNING *", workspace_id)
    return workspace_of(rows[0]) if rows else None


async def lock_installation() -> None:
    """The same for what belongs to no workspace."""
    await database.fetch("UPDATE installation SET revision = revision + 1 WHERE id = 1")


async def ensure_installation(audit_key: bytes) -> None:
    """The installation's one row; its key is kept if there is one already."""
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
    """The slugs in use that are this one, alone or with something after a hyphen."""
    rows = await database.fetch("SELECT slug FROM workspace WHERE slug = {} OR slug LIKE {}", slug, f"{slug}-%")
    return {row["slug"] for row in rows}


async def update(workspace_id: str, values: dict[str, Any]) -> None:
    """`values` by column name."""
    await WorkspaceRow.update(dict(values.items())).where(WorkspaceRow.id == workspace_id).run()


async def last_workspace(user_id: str) -> str | None:
    rows = await database.fetch("SELECT last_workspace FROM account WHERE id = {}", user_id)
    return rows[0]["last_workspace"] if rows else None


async def set_last_workspace(user_id: str, workspace_id: str) -> None:
    await UserRow.update({UserRow.last_workspace: workspace_id}).where(UserRow.id == user_id).run()


async def find_user(user_id: str) -> User | None:
    row = await UserRow.select().where(UserRow.id == user_id).first().run()
    return user_of(row) if row else None


async def find_user_by_email(email_key: str) -> User | None:
    row = await UserRow.select().where(UserRow.email_key == email_key).first().run()
    return user_of(row) if row else None


async def add_user(user: User, email_key: str, password_hash: str) -> None:
    row = UserRow(
        id=user.id, email=user.email, email_key=email_key, name=user.name, password_hash=password_hash, created_at=user.created_at
    )
    await UserRow.insert(row).run()


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


def _member(row: dict[str, Any]) -> Member:
    return Member(row["member_id"], row["place"], user_of(row), Role(row["member_role"]), row["joined_at"])
