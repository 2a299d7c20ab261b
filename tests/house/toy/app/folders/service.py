"""Creating folders and reading them; a job and a purge."""

from __future__ import annotations

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import NotFound
from app.folders import events, store
from app.folders.folder import FOLDER_ID, Folder
from app.tenancy import service as tenancy
from app.tenancy.service import Access


async def create(actor: Actor, slug: str | None, name: str) -> Folder:
    async with tenancy.changing(actor, slug, Action.CREATE_FOLDER) as change:
        folder = Folder(ids.new(FOLDER_ID), change.workspace.id, name, change.now)
        await store.add(folder)
        await audit.record(change, events.CREATED, folder.id, name=name)
        return folder


async def of_workspace(access: Access) -> list[Folder]:
    access.require(Action.READ_FOLDERS)
    return await store.of_workspace(access.workspace.id)


async def get(actor: Actor, folder_id: str) -> Folder:
    """Raises NotFound, NotAllowed."""
    workspace_id = await store.workspace_of(folder_id)
    if workspace_id is None:
        raise NotFound("folder")
    access = await tenancy.reading(actor, None, Action.READ_FOLDERS, workspace_id=workspace_id)
    return next(folder for folder in await store.of_workspace(access.workspace.id) if folder.id == folder_id)


async def freshen(now: int) -> None:
    async with database.transaction():
        await store.rename_all("stale", "fresh")


async def purge() -> None:
    async with database.transaction():
        await store.drop_named("worn")
