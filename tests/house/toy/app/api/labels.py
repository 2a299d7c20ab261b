"""Labels: the type, the field of a workspace, and creating one."""

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
from app.labels import label as noun
from app.labels import service
from app.labels.label import LABEL_ID


@object_type("A word for keys.", requires=Action.READ_LABELS)
class Label(Node):
    name: str = strawberry.field(description="The word.")
    created_at: Instant = strawberry.field(description="Since when there is one.")

    @classmethod
    def of(cls, label: noun.Label) -> Label:
        return cls(id=strawberry.ID(label.id), name=label.name, created_at=Instant(label.created_at))


@extend(Workspace, name="labels", description="Its labels, the oldest first.", requires=Action.READ_LABELS)
async def _labels(self: Workspace, info: Info) -> list[Label]:
    return [Label.of(label) for label in await service.of_workspace(self.access)]


@found_by_id(LABEL_ID)
async def _by_id(context: Context, label_id: str) -> Label:
    return Label.of(await service.get(context.actor, label_id))


@strawberry.input(description="What a new label is.")
class CreateLabelInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description="The workspace's slug.")
    name: str = strawberry.field(description="The word.")


@object_type("The label that was created.", requires=ANYONE)
class CreateLabelPayload:
    label: Label = strawberry.field(description="The new one.")


CreateLabelResult: TypeAlias = Annotated[
    CreateLabelPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("CreateLabelResult")
]


@strawberry.type
class LabelMutation:
    @mutation("Creates a label.", requires=Action.CREATE_LABEL)
    async def create_label(self, info: Info, input: CreateLabelInput) -> CreateLabelResult | None:
        made = await service.create(info.context.actor, unset_to_none(input.workspace), input.name)
        return CreateLabelPayload(label=Label.of(made))
