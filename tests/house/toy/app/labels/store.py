"""Rows of labels."""

from __future__ import annotations

from app import database
from app.labels.label import Label
from app.labels.tables import LabelRow


async def add(label: Label) -> None:
    row = LabelRow(id=label.id, workspace=label.workspace_id, name=label.name, created_at=label.created_at)
    await LabelRow.insert(row).run()


async def of_workspace(workspace_id: str) -> list[Label]:
    rows = await database.fetch("SELECT * FROM label WHERE workspace = {} ORDER BY created_at, id", workspace_id)
    return [Label(row["id"], row["workspace"], row["name"], row["created_at"]) for row in rows]


async def workspace_of(label_id: str) -> str | None:
    rows = await database.fetch("SELECT workspace FROM label WHERE id = {}", label_id)
    return rows[0]["workspace"] if rows else None


async def rename_all(old: str, new: str) -> None:
    await database.fetch("UPDATE label SET name = {} WHERE name = {}", new, old)


async def drop_named(name: str) -> None:
    await database.fetch("DELETE FROM label WHERE name = {}", name)
