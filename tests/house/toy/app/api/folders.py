"""Folders: the type, the field of a workspace, and creating one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Node
from app.api.framework.context import Context, Info
from app.api.framework.decorators import extend, mutation, object_type
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, unset_to_none
from app.api.problems import NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.folders import folder as noun
from app.folders import service
from app.folders.folder import FOLDER_ID


@object_type("A word for keys.", requires=Action.READ_FOLDERS)
class Folder(Node):
    name: str = strawberry.field(description="The word.")
    created_at: Instant = strawberry.field(description="Since when there is one.")

    @classmethod
    def of(cls, folder: noun.Folder) -> Folder:
        return cls(id=strawberry.ID(folder.id), name=folder.name, created_at=Instant(folder.created_at))


@extend(Workspace, name="folders", description="Its folders, the oldest first.", requires=Action.READ_FOLDERS)
async def _folders(self: Workspace, info: Info) -> list[Folder]:
    return [Folder.of(folder) for folder in await service.of_workspace(self.access)]


@found_by_id(FOLDER_ID)
async def _by_id(context: Context, folder_id: str) -> Folder:
    return Folder.of(await service.get(context.actor, folder_id))


@strawberry.input(description="What a new folder is.")
class CreateFolderInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description="The workspace's slug.")
    name: str = strawberry.field(description="The word.")


@object_type("The folder that was created.", requires=ANYONE)
class CreateFolderPayload:
    folder: Folder = strawberry.field(description="The new one.")


CreateFolderResult: TypeAlias = Annotated[
    CreateFolderPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("CreateFolderResult")
]


@strawberry.type
class FolderMutation:
    @mutation("Creates a folder.", requires=Action.CREATE_FOLDER)
    async def create_folder(self, info: Info, input: CreateFolderInput) -> CreateFolderResult | None:
        made = await service.create(info.context.actor, unset_to_none(input.workspace), input.name)
        return CreateFolderPayload(folder=Folder.of(made))
