"""Mutations that change several API keys: one result for each, which is what the mutation of a single key would answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import strawberry

from app.access.policy import Action
from app.api import problems
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import require_values
from app.api.framework.scalars import Instant, Network, unset_to_none
from app.api.key_mutations import (
    ResumeApiKeyPayload,
    ResumeApiKeyResult,
    RevokeApiKeyPayload,
    RevokeApiKeyResult,
    SuspendApiKeyPayload,
    SuspendApiKeyResult,
    UpdateApiKeyPayload,
    UpdateApiKeyResult,
    settings_in,
)
from app.api.key_types import ApiKey
from app.api.labels import LabelInput
from app.api.problems import NotAllowed, ValidationFailed
from app.errors import Problem
from app.keys import service
from app.keys.key import Reason

IDS = f"At most {service.MOST_AT_ONCE}."
RESULTS = "One for each of `ids`, in their order."


@strawberry.input(description="What is left out stays as it is; null never means that.")
class UpdateApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=IDS)
    permissions: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the lists. Null and an empty list are refused."
    )
    allowed_ips: list[Network] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the lists. Null or empty: any address."
    )
    description: str | None = strawberry.field(default=strawberry.UNSET, description="Null or empty: none.")
    labels: list[LabelInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the lists. Null or empty: none."
    )
    owner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a user who is a member of the workspace; null: nobody."
    )
    expires_at: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Null: they never expire, where their environments allow that."
    )

    def to_domain(self) -> dict[str, Any]:
        """The edit that the input describes. Raises ValidationFailed for null in a field that cannot be cleared."""
        require_values(permissions=self.permissions)
        return settings_in(self)


@object_type(requires=ANYONE)
class UpdateApiKeysPayload:
    results: list[UpdateApiKeyResult] = strawberry.field(description=RESULTS)


@strawberry.input
class SuspendApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=IDS)


@object_type(requires=ANYONE)
class SuspendApiKeysPayload:
    results: list[SuspendApiKeyResult] = strawberry.field(description=RESULTS)


@strawberry.input
class ResumeApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=IDS)


@object_type(requires=ANYONE)
class ResumeApiKeysPayload:
    results: list[ResumeApiKeyResult] = strawberry.field(description=RESULTS)


@strawberry.input
class RevokeApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=IDS)
    reason: Reason
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="For the audit log and each key's page; cut after 1,000 characters."
    )


@object_type(requires=ANYONE)
class RevokeApiKeysPayload:
    results: list[RevokeApiKeyResult] = strawberry.field(description=RESULTS)


UpdateApiKeysResult: TypeAlias = Annotated[
    UpdateApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("UpdateApiKeysResult")
]
SuspendApiKeysResult: TypeAlias = Annotated[
    SuspendApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("SuspendApiKeysResult")
]
ResumeApiKeysResult: TypeAlias = Annotated[
    ResumeApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("ResumeApiKeysResult")
]
RevokeApiKeysResult: TypeAlias = Annotated[
    RevokeApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("RevokeApiKeysResult")
]


@strawberry.type
class BulkKeyMutation:
    @mutation(
        "Changes the same settings of several keys as `updateApiKey` does those of one, each with a result of its own. Those of a\n"
        "workspace are changed together or, when the server fails, not at all; repeated, it answers the same.",
        requires=Action.UPDATE_API_KEY,
    )
    async def update_api_keys(self, info: Info, input: UpdateApiKeysInput) -> UpdateApiKeysResult | None:
        answers = await service.update_all(info.context.actor, input.ids, input.to_domain())
        return UpdateApiKeysPayload(results=await _results(info, answers, UpdateApiKeyPayload))

    @mutation(
        "Suspends several keys as `suspendApiKey` does one, each with a result of its own. Those of a workspace are suspended\n"
        "together or, when the server fails, not at all; repeated, it answers the same.",
        requires=Action.SUSPEND_API_KEY,
    )
    async def suspend_api_keys(self, info: Info, input: SuspendApiKeysInput) -> SuspendApiKeysResult | None:
        answers = await service.suspend_all(info.context.actor, input.ids)
        return SuspendApiKeysPayload(results=await _results(info, answers, SuspendApiKeyPayload))

    @mutation(
        "Resumes several keys as `resumeApiKey` does one, each with a result of its own. Those of a workspace are resumed\n"
        "together or, when the server fails, not at all; repeated, it answers the same.",
        requires=Action.RESUME_API_KEY,
    )
    async def resume_api_keys(self, info: Info, input: ResumeApiKeysInput) -> ResumeApiKeysResult | None:
        answers = await service.resume_all(info.context.actor, input.ids)
        return ResumeApiKeysPayload(results=await _results(info, answers, ResumeApiKeyPayload))

    @mutation(
        "Revokes several keys as `revokeApiKey` does one, each with a result of its own. Those of a workspace are revoked\n"
        "together or, when the server fails, not at all; repeated, it answers the same.",
        requires=Action.REVOKE_API_KEY,
    )
    async def revoke_api_keys(self, info: Info, input: RevokeApiKeysInput) -> RevokeApiKeysResult | None:
        answers = await service.revoke_all(info.context.actor, input.ids, input.reason, unset_to_none(input.note))
        return RevokeApiKeysPayload(results=await _results(info, answers, RevokeApiKeyPayload))


async def _results(info: Info, answers: Sequence[service.Changed], payload: Callable[..., Any]) -> list[Any]:
    """The results of a mutation of several keys; `payload` is that of a key that was changed."""
    now = await info.context.now()
    return [
        problems.of_one(answer) if isinstance(answer, Problem) else payload(api_key=ApiKey.of(answer, now)) for answer in answers
    ]
