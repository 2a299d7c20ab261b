"""Mutations of rotations that have begun: each parses its input, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.scalars import Instant
from app.api.key_types import Rotation
from app.api.problems import Conflict, NotAllowed, NotFound, RotationNotReady, ValidationFailed
from app.rotations import service
from app.rotations.rotation import Progress


@strawberry.input
class CompleteRotationInput:
    id: strawberry.ID
    force: bool = strawberry.field(default=False, description="Also before it is READY: callers that have not moved are cut off.")


@object_type(requires=ANYONE)
class CompleteRotationPayload:
    rotation: Rotation


@strawberry.input
class CancelRotationInput:
    id: strawberry.ID
    force: bool = strawberry.field(default=False, description="Also when the successor has been used: its callers are cut off.")


@object_type(requires=ANYONE)
class CancelRotationPayload:
    rotation: Rotation


@strawberry.input
class ExtendRotationInput:
    id: strawberry.ID
    deadline: Instant = strawberry.field(description="Later than the present one, at most 30 days after the start.")


@object_type(requires=ANYONE)
class ExtendRotationPayload:
    rotation: Rotation


@strawberry.input
class DismissCallerInput:
    rotation: strawberry.ID
    caller: strawberry.ID = strawberry.field(description="The id of one of its callers, `cal_…`.")


@object_type(requires=ANYONE)
class DismissCallerPayload:
    rotation: Rotation


@strawberry.input
class RestoreCallerInput:
    rotation: strawberry.ID
    caller: strawberry.ID = strawberry.field(description="The id of one of its callers, `cal_…`.")


@object_type(requires=ANYONE)
class RestoreCallerPayload:
    rotation: Rotation


CompleteRotationResult: TypeAlias = Annotated[
    CompleteRotationPayload | RotationNotReady | NotFound | NotAllowed | Conflict, strawberry.union("CompleteRotationResult")
]
CancelRotationResult: TypeAlias = Annotated[
    CancelRotationPayload | NotFound | NotAllowed | Conflict, strawberry.union("CancelRotationResult")
]
ExtendRotationResult: TypeAlias = Annotated[
    ExtendRotationPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("ExtendRotationResult")
]
DismissCallerResult: TypeAlias = Annotated[
    DismissCallerPayload | NotFound | NotAllowed | Conflict, strawberry.union("DismissCallerResult")
]

RestoreCallerResult: TypeAlias = Annotated[
    RestoreCallerPayload | NotFound | NotAllowed | Conflict, strawberry.union("RestoreCallerResult")
]


@strawberry.type
class RotationMutation:
    @mutation(
        "Revokes the old key: no request with it that begins after this answer is accepted. Before the run is READY refused\n"
        "with who would be cut off, unless forced. Repeated, it answers the same.",
        requires=Action.COMPLETE_ROTATION,
    )
    async def complete_rotation(self, info: Info, input: CompleteRotationInput) -> CompleteRotationResult | None:
        progress = await service.complete(info.context.actor, input.id, force=input.force)
        return CompleteRotationPayload(rotation=await _shown(info, progress))

    @mutation(
        "Revokes the new key; the old one keeps working. A Conflict, unless forced, when the new one has been used.",
        requires=Action.CANCEL_ROTATION,
    )
    async def cancel_rotation(self, info: Info, input: CancelRotationInput) -> CancelRotationResult | None:
        progress = await service.cancel(info.context.actor, input.id, force=input.force)
        return CancelRotationPayload(rotation=await _shown(info, progress))

    @mutation("Moves the deadline of an open rotation.", requires=Action.EXTEND_ROTATION)
    async def extend_rotation(self, info: Info, input: ExtendRotationInput) -> ExtendRotationResult | None:
        progress = await service.extend(info.context.actor, input.id, input.deadline)
        return ExtendRotationPayload(rotation=await _shown(info, progress))

    @mutation("Says that a caller, with its whole user-agent family, need not move to the new key.", requires=Action.DISMISS_CALLER)
    async def dismiss_caller(self, info: Info, input: DismissCallerInput) -> DismissCallerResult | None:
        progress = await service.dismiss(info.context.actor, input.rotation, input.caller)
        return DismissCallerPayload(rotation=await _shown(info, progress))

    @mutation(
        "Undoes `dismissCaller`: the caller, with its whole user-agent family, has to move after all.",
        requires=Action.DISMISS_CALLER,
    )
    async def restore_caller(self, info: Info, input: RestoreCallerInput) -> RestoreCallerResult | None:
        progress = await service.restore(info.context.actor, input.rotation, input.caller)
        return RestoreCallerPayload(rotation=await _shown(info, progress))


async def _shown(info: Info, progress: Progress) -> Rotation:
    return Rotation.of(progress, await info.context.now())
