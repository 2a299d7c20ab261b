"""Mutations that put another key in the place of one: rotations of one key and of several, and a key whose secret was lost."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api import problems
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.scalars import Instant, unset_to_none
from app.api.key_mutations import ApiKeyPreview
from app.api.key_types import ApiKey, Rotation
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.errors import Problem
from app.rotations import service
from app.rotations.rotation import OnDeadline
from app.rotations.service import DEFAULT_QUIET_SECONDS, RotationOptions, Started


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
    validate_only: bool = strawberry.field(
        default=False,
        description=(
            "Only say what is wrong, or a `RotationPreview` of the run and the successor; nothing is written. An\n"
            "`idempotencyKey` is ignored."
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
            "When `secret` is null and the successor was not used yet: in so many seconds the same request replaces it\n"
            "and returns another secret."
        )
    )


@object_type("What a rotation would be that began now. The answer to `validateOnly`.", requires=ANYONE)
class RotationPreview:
    successor: ApiKeyPreview = strawberry.field(description="The key that would replace the old one.")
    deadline: Instant = strawberry.field(description="When `onDeadline` would happen.")
    on_deadline: OnDeadline = strawberry.field(description="What would happen at the deadline.")
    quiet_period_seconds: int = strawberry.field(description="How long the old key would have to be silent.")

    @classmethod
    def of(cls, preview: service.Preview) -> RotationPreview:
        return cls(
            successor=ApiKeyPreview.of(preview.successor),
            deadline=Instant(preview.deadline),
            on_deadline=preview.options.on_deadline,
            quiet_period_seconds=preview.options.quiet_seconds,
        )


@strawberry.input
class RotateApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=f"At most {service.MOST_AT_ONCE}.")
    deadline: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Left out: 7 days from now. At most 30 days from now."
    )
    on_deadline: OnDeadline = OnDeadline.KEEP_AND_ALERT
    quiet_period_seconds: int = strawberry.field(
        default=DEFAULT_QUIET_SECONDS,
        description="How long an old key must have been silent before its run is READY; 0 to 7 days.",
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "As for `rotateApiKey`, for each of the keys on its own: repeated with the same options, also for fewer or more keys,\n"
            "it gives the same run for each that was rotated, and a new one for each other."
        ),
    )
    replace_unused: bool = strawberry.field(default=False, description="As for `rotateApiKey`, for each of the keys.")


@strawberry.input
class ReplaceUnusedApiKeyInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class ReplaceUnusedApiKeyPayload:
    api_key: ApiKey = strawberry.field(description="The key that took its place, with the same settings.")
    secret: str | None = strawberry.field(description="Shown now and never again; null in the answer to a repeated request.")


RotateApiKeyResult: TypeAlias = Annotated[
    RotateApiKeyPayload | RotationPreview | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("RotateApiKeyResult"),
]


@object_type(requires=ANYONE)
class RotateApiKeysPayload:
    results: list[RotateApiKeyResult] = strawberry.field(description="One for each of `ids`, in their order.")


RotateApiKeysResult: TypeAlias = Annotated[
    RotateApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("RotateApiKeysResult")
]
ReplaceUnusedApiKeyResult: TypeAlias = Annotated[
    ReplaceUnusedApiKeyPayload | NotFound | NotAllowed | Conflict, strawberry.union("ReplaceUnusedApiKeyResult")
]


@strawberry.type
class KeyReplacementMutation:
    @mutation(
        "Begins a rotation: a new key like the old one takes its place, and both work. Needs no room in the plan. A\n"
        "Conflict unless the key is ACTIVE and has no open rotation. The new secret is in this answer and nowhere else, ever.",
        requires=Action.ROTATE_API_KEY,
    )
    async def rotate_api_key(self, info: Info, input: RotateApiKeyInput) -> RotateApiKeyResult | None:
        if input.validate_only:
            options = RotationOptions(unset_to_none(input.deadline), input.on_deadline, input.quiet_period_seconds)
            return RotationPreview.of(await service.check(info.context.actor, input.id, options))
        started = await service.start(
            info.context.actor,
            input.id,
            deadline=unset_to_none(input.deadline),
            on_deadline=input.on_deadline,
            quiet_seconds=input.quiet_period_seconds,
            idempotency_key=unset_to_none(input.idempotency_key),
            replace_unused=input.replace_unused,
        )
        return _payload(started, await info.context.now())

    @mutation(
        "Rotates several keys as `rotateApiKey` does one, each with a result of its own. One after the other: if the server\n"
        "fails, those before it are rotated. Use an `idempotencyKey`, so that a lost answer can be requested again.",
        requires=Action.ROTATE_API_KEY,
    )
    async def rotate_api_keys(self, info: Info, input: RotateApiKeysInput) -> RotateApiKeysResult | None:
        options = RotationOptions(unset_to_none(input.deadline), input.on_deadline, input.quiet_period_seconds)
        answers = await service.start_all(
            info.context.actor,
            input.ids,
            options,
            idempotency_key=unset_to_none(input.idempotency_key),
            replace_unused=input.replace_unused,
        )
        now = await info.context.now()
        return RotateApiKeysPayload(
            results=[
                problems.of_one(answer) if isinstance(answer, Problem) else _payload(answer, now)
                async for answer in info.context.pace.through(answers)
            ]
        )

    @mutation(
        "For a key whose secret was lost with the answer that made it: revokes the key, which was never used, and makes\n"
        "another with the same settings. Needs no room in the plan. A Conflict if the key was used or imported, is not\n"
        "ACTIVE, or is itself being rotated; the successor of an open rotation is replaced within it. Repeated, it answers\n"
        "the same without the secret.",
        requires=Action.CREATE_API_KEY,
    )
    async def replace_unused_api_key(self, info: Info, input: ReplaceUnusedApiKeyInput) -> ReplaceUnusedApiKeyResult | None:
        made = await service.replace_unused(info.context.actor, input.id)
        return ReplaceUnusedApiKeyPayload(api_key=ApiKey.of(made.key, made.at), secret=made.secret)


def _payload(started: Started, now: int) -> RotateApiKeyPayload:
    run = Rotation.of(started.progress, now)
    return RotateApiKeyPayload(rotation=run, api_key=run.successor, secret=started.secret, retry_after=started.retry_after)
