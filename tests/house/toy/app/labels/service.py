"""Creating labels and reading them; a job and a purge."""

from __future__ import annotations

from app import database, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import NotFound
from app.labels import events, store
from app.labels.label import LABEL_ID, Label
from app.tenancy import service as tenancy
from app.tenancy.service import Access


async def create(actor: Actor, slug: str | None, name: str) -> Label:
    async with tenancy.changing(actor, slug, Action.CREATE_LABEL) as change:
        label = Label(ids.new(LABEL_ID), change.workspace.id, name, change.now)
        await store.add(label)
        await audit.record(change, events.CREATED, label.id, name=name)
        return label


async def of_workspace(access: Access) -> list[Label]:
    access.require(Action.READ_LABELS)
    return await store.of_workspace(access.workspace.id)


async def get(actor: Actor, label_id: str) -> Label:
    """Raises NotFound, NotAllowed."""
    workspace_id = await store.workspace_of(label_id)
    if workspace_id is None:
        raise NotFound("label")
    access = await tenancy.reading(actor, None, Action.READ_LABELS, workspace_id=workspace_id)
    return next(label for label in await store.of_workspace(access.workspace.id) if label.id == label_id)


async def freshen(now: int) -> None:
    async with database.transaction():
        await store.rename_all("stale", "fresh")


async def purge() -> None:
    async with database.transaction():
        await store.drop_named("worn")
