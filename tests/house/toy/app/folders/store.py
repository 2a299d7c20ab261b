"""Rows of folders."""

from __future__ import annotations

from app import database
from app.folders.folder import Folder
from app.folders.tables import FolderRow


async def add(folder: Folder) -> None:
    row = FolderRow(id=folder.id, workspace=folder.workspace_id, name=folder.name, created_at=folder.created_at)
    await FolderRow.insert(row).run()


async def of_workspace(workspace_id: str) -> list[Folder]:
    rows = await database.fetch("SELECT * FROM folder WHERE workspace = {} ORDER BY created_at, id", workspace_id)
    return [Folder(row["id"], row["workspace"], row["name"], row["created_at"]) for row in rows]


async def workspace_of(folder_id: str) -> str | None:
    rows = await database.fetch("SELECT workspace FROM folder WHERE id = {}", folder_id)
    return rows[0]["workspace"] if rows else None


async def rename_all(old: str, new: str) -> None:
    await database.fetch("UPDATE folder SET name = {} WHERE name = {}", new, old)


async def drop_named(name: str) -> None:
    await database.fetch("DELETE FROM folder WHERE name = {}", name)
