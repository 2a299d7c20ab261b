"""Mutations of rotations: each parses its input, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.scalars import Instant, unset_to_none
from app.api.key_types import ApiKey, Rotation
from app.api.problems import Conflict, NotAllowed, NotFound, RotationNotReady, ValidationFailed
from app.rotations import service
from app.rotations.rotation import OnDeadline, Progress
from app.rotations.validation import DEFAULT_QUIET_SECONDS


@strawberry.input
class RotateApiKeyInput:
    id: strawberry.ID
    deadline: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Left out: 7 days from now. At most 30 days from now."
    )
    on_deadline: OnDeadline = OnDeadline.KEEP_AND_ALERT
    quiet_period_seconds: int = strawberry.field(
        default=DEFAULT_QUIET_SECONDS,
        description="How long the old key must have been silent before the run is READY; 0 to 7 days.",
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Any text, at most 200 characters. Repeated with the same input, within 24 hours and as long as the run is open, it\n"
            "gives the same run with `secret: null`; but with another successor and its secret (the first is revoked) while that\n"
            "one was never used and 30 seconds after it was made, so that a lost answer locks nobody out. With another input, a\n"
            "Conflict."
        ),
    )
    replace_unused: bool = strawberry.field(
        default=False,
        description=(
            "With a repeated `idempotencyKey`: the first answer is lost for certain, so replace a successor that was never used\n"
            "without waiting 30 seconds. A run replaces its successor 20 times at most, then it is a Conflict."
        ),
    )


@object_type(requires=ANYONE)
class RotateApiKeyPayload:
    rotation: Rotation
    api_key: ApiKey = strawberry.field(description="The successor.")
    secret: str | None = strawberry.field(
        description="The successor's, shown now and never again; null if another answer contained it."
    )
    retry_after: int | None = strawberry.field(
        description=(
            "When `secret` is null and the successor was not used yet: in so many seconds the same request replaces it and tells\n"
            "another secret."
        )
    )


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


RotateApiKeyResult: TypeAlias = Annotated[
    RotateApiKeyPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("RotateApiKeyResult")
]
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


@strawberry.type
class RotationMutation:
    @mutation(
        "Begins a rotation: a new key like the old one takes its place, and both work. Needs no free slot of the plan. A\n"
        "Conflict unless the key is ACTIVE and has no open rotation. The new secret is in this answer and nowhere else, ever.",
        requires=Action.ROTATE_API_KEY,
    )
    async def rotate_api_key(self, info: Info, input: RotateApiKeyInput) -> RotateApiKeyResult | None:
        started = await service.start(
            info.context.actor,
            input.id,
            deadline=unset_to_none(input.deadline),
            on_deadline=input.on_deadline,
            quiet_seconds=input.quiet_period_seconds,
            idempotency_key=unset_to_none(input.idempotency_key),
            replace_unused=input.replace_unused,
        )
        shown = await _shown(info, started.progress)
        return RotateApiKeyPayload(rotation=shown, api_key=shown.successor, secret=started.secret, retry_after=started.retry_after)

    @mutation(
        "Revokes the old key: no request with it that begins after this answer is accepted. Before the run is READY refused\n"
        "with who would be cut off, unless forced. Repeated, it answers the same.",
        requires=Action.COMPLETE_ROTATION,
    )
    async def complete_rotation(self, info: Info, input: CompleteRotationInput) -> CompleteRotationResult | None:
        progress = await service.complete(info.context.actor, input.id, force=input.force)
        return CompleteRotationPayload(rotation=await _shown(info, progress))

    @mutation(
        "Revokes the new key; the old one goes on as before. A Conflict, unless forced, when the new one has been used.",
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


async def _shown(info: Info, progress: Progress) -> Rotation:
    return Rotation.of(progress, await info.context.now())
