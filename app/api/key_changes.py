"""What can be done with API keys: each mutation parses, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app import catalogue, errors
from app.api.catalogue import Environment, Permission
from app.api.context import Info
from app.api.inputs import EXPECTED_REVISION, SLUG, require_values
from app.api.keys import ApiKey
from app.api.problems import Conflict, NotAllowed, NotFound, PlanLimitReached, ValidationFailed
from app.api.resolving import mutation
from app.api.scalars import Instant, Network, given, instant
from app.keys import service
from app.keys.key import ApiKey as Key
from app.keys.key import Reason
from app.keys.rules import KeyInput
from app.keys.service import KeyEdit


@strawberry.input
class CreateApiKeyInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    name: str
    environment: str = strawberry.field(description="The name of an environment, `production`.")
    permissions: list[str] = strawberry.field(description="Names of permissions, `pdf.generate`; at least one.")
    expires_at: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Some environments demand it, within a number of days."
    )
    allowed_ips: list[Network] | None = strawberry.field(
        default=strawberry.UNSET, description="IPv4 and IPv6 addresses and networks; left out or empty: any."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Any text, at most 200 characters. Repeated within 24 hours with the same input it gives the same key, with `secret:\n"
            "null`; with another input, a Conflict."
        ),
    )
    validate_only: bool = strawberry.field(
        default=False,
        description=(
            "Only say what is wrong, or an `ApiKeyPreview` of what the key would be; nothing is written. Whether the plan has\n"
            "room is not looked at, and an `idempotencyKey` neither."
        ),
    )

    def plain(self) -> KeyInput:
        return KeyInput(
            name=self.name,
            environment=self.environment,
            permissions=tuple(self.permissions),
            expires_at=given(self.expires_at),
            allowed_ips=tuple(given(self.allowed_ips) or ()),
        )


@strawberry.type(description="What a key would be: its settings as they would be stored. The answer to `validateOnly`.")
class ApiKeyPreview:
    name: str
    environment: Environment
    permissions: list[Permission]
    allowed_ips: list[Network]
    expires_at: Instant | None = strawberry.field(description="Null: never.")

    @classmethod
    def of(cls, asked: KeyInput) -> ApiKeyPreview:
        return cls(
            name=asked.name,
            environment=Environment.of(catalogue.current().environment(asked.environment)),
            permissions=[Permission.named(name) for name in asked.permissions],
            allowed_ips=[Network(text) for text in asked.allowed_ips],
            expires_at=instant(asked.expires_at),
        )


@strawberry.type
class CreateApiKeyPayload:
    api_key: ApiKey
    secret: str | None = strawberry.field(description="Shown now and never again; null in the answer to a repeated request.")


@strawberry.input(description="What is left out stays as it is; null never means that.")
class UpdateApiKeyInput:
    id: strawberry.ID
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Null is refused: every key has a name.")
    permissions: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the list. Null and an empty list are refused."
    )
    allowed_ips: list[Network] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the list. Null or empty: any address."
    )
    expires_at: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Null: the key never expires, where its environment allows that."
    )
    expected_revision: str | None = strawberry.field(default=strawberry.UNSET, description=EXPECTED_REVISION)
    validate_only: bool = strawberry.field(
        default=False, description="Only say what is wrong, or an `ApiKeyPreview` of what the key would be; nothing is written."
    )

    def plain(self) -> KeyEdit:
        """Raises ValidationFailed for null where it clears nothing."""
        require_values(name=self.name, permissions=self.permissions)
        permissions = given(self.permissions)
        return KeyEdit(
            name=given(self.name),
            permissions=None if permissions is None else tuple(permissions),
            allowed_ips=None if self.allowed_ips is strawberry.UNSET else tuple(self.allowed_ips or ()),
            expires_at=given(self.expires_at),
            set_expiry=self.expires_at is not strawberry.UNSET,
        )


@strawberry.type
class UpdateApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class SuspendApiKeyInput:
    id: strawberry.ID


@strawberry.type
class SuspendApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class ResumeApiKeyInput:
    id: strawberry.ID


@strawberry.type
class ResumeApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class RevokeApiKeyInput:
    id: strawberry.ID
    reason: Reason
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="For the audit log and the key's page; cut after 1,000 characters."
    )


@strawberry.type
class RevokeApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class RevokeApiKeysInput:
    ids: list[strawberry.ID] = strawberry.field(description=f"At most {service.MOST_AT_ONCE}.")
    reason: Reason
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="For the audit log and each key's page; cut after 1,000 characters."
    )


CreateApiKeyResult: TypeAlias = Annotated[
    CreateApiKeyPayload | ApiKeyPreview | ValidationFailed | NotFound | NotAllowed | Conflict | PlanLimitReached,
    strawberry.union("CreateApiKeyResult"),
]
UpdateApiKeyResult: TypeAlias = Annotated[
    UpdateApiKeyPayload | ApiKeyPreview | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("UpdateApiKeyResult"),
]
SuspendApiKeyResult: TypeAlias = Annotated[
    SuspendApiKeyPayload | NotFound | NotAllowed | Conflict, strawberry.union("SuspendApiKeyResult")
]
ResumeApiKeyResult: TypeAlias = Annotated[
    ResumeApiKeyPayload | NotFound | NotAllowed | Conflict, strawberry.union("ResumeApiKeyResult")
]
RevokeApiKeyResult: TypeAlias = Annotated[RevokeApiKeyPayload | NotFound | NotAllowed, strawberry.union("RevokeApiKeyResult")]


@strawberry.type
class RevokeApiKeysPayload:
    results: list[RevokeApiKeyResult] = strawberry.field(description="One for each of `ids`, in their order.")


RevokeApiKeysResult: TypeAlias = Annotated[
    RevokeApiKeysPayload | ValidationFailed | NotAllowed, strawberry.union("RevokeApiKeysResult")
]


@strawberry.type
class ApiKeyMutation:
    @mutation("Makes an API key. Its secret is in this answer and nowhere else, ever.")
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyResult | None:
        actor, slug = info.context.actor, given(input.workspace)
        if input.validate_only:
            return ApiKeyPreview.of(await service.check(actor, slug, input.plain()))
        made = await service.create(actor, slug, input.plain(), idempotency_key=given(input.idempotency_key))
        return CreateApiKeyPayload(api_key=await _shown(info, made.key), secret=made.secret)

    @mutation("Changes what is given and leaves the rest. A key's environment cannot be changed.")
    async def update_api_key(self, info: Info, input: UpdateApiKeyInput) -> UpdateApiKeyResult | None:
        actor, seen = info.context.actor, given(input.expected_revision)
        if input.validate_only:
            return ApiKeyPreview.of(await service.check_update(actor, input.id, input.plain(), seen=seen))
        key = await service.update(actor, input.id, input.plain(), seen=seen)
        return UpdateApiKeyPayload(api_key=await _shown(info, key))

    @mutation("Refuses the key's requests until it is resumed. It still counts on the plan.")
    async def suspend_api_key(self, info: Info, input: SuspendApiKeyInput) -> SuspendApiKeyResult | None:
        return SuspendApiKeyPayload(api_key=await _shown(info, await service.suspend(info.context.actor, input.id)))

    @mutation("Accepts a suspended key's requests again.")
    async def resume_api_key(self, info: Info, input: ResumeApiKeyInput) -> ResumeApiKeyResult | None:
        return ResumeApiKeyPayload(api_key=await _shown(info, await service.resume(info.context.actor, input.id)))

    @mutation(
        "Revokes the key permanently: no request that begins after this answer is accepted. Never refused; repeated, it\n"
        "answers the same and changes nothing."
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyResult | None:
        key = await service.revoke(info.context.actor, input.id, input.reason, given(input.note))
        return RevokeApiKeyPayload(api_key=await _shown(info, key))

    @mutation(
        "Revokes several keys as `revokeApiKey` does one, each with a result of its own. Those of a workspace are revoked\n"
        "together or, when the server fails, not at all; repeated, it answers the same."
    )
    async def revoke_api_keys(self, info: Info, input: RevokeApiKeysInput) -> RevokeApiKeysResult | None:
        answers = await service.revoke_all(info.context.actor, input.ids, input.reason, given(input.note))
        return RevokeApiKeysPayload(results=[await _result(info, answer) for answer in answers])


async def _result(info: Info, answer: service.Revoked) -> RevokeApiKeyPayload | NotFound | NotAllowed:
    match answer:
        case errors.NotFound():
            return NotFound.of(answer)
        case errors.NotAllowed():
            return NotAllowed.of(answer)
        case _:
            return RevokeApiKeyPayload(api_key=await _shown(info, answer))


async def _shown(info: Info, key: Key) -> ApiKey:
    return ApiKey.of(key, await info.context.now())
