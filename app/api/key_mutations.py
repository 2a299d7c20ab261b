"""Mutations of API keys: each parses its input, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import strawberry

from app import catalogue
from app.access.policy import Action
from app.api.catalogue import Environment, Permission
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import EXPECTED_REVISION, SLUG, require_values
from app.api.framework.scalars import Instant, Network, instant, unset_to_none
from app.api.key_types import ApiKey
from app.api.labels import Label, LabelInput
from app.api.owners import ApiKeyOwner
from app.api.problems import Conflict, NotAllowed, NotFound, PlanLimitReached, ValidationFailed
from app.keys import service
from app.keys.key import LISTS, SETTINGS, KeySettings, Owner, Reason
from app.keys.key import ApiKey as Key


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
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="For people, in one or several lines; at most 500 characters."
    )
    labels: list[LabelInput] | None = strawberry.field(
        default=strawberry.UNSET, description="At most 20, each name once; a successor by rotation gets them too."
    )
    owner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The id of a user who is a member of the workspace; left out or null: you, or who made the management key.",
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
            "room is not checked, and an `idempotencyKey` is ignored."
        ),
    )

    def to_domain(self) -> KeySettings:
        return KeySettings(**settings_in(self))


@object_type("What a key would be: its settings as they would be stored. The answer to `validateOnly`.", requires=ANYONE)
class ApiKeyPreview:
    name: str
    environment: Environment
    permissions: list[Permission]
    allowed_ips: list[Network]
    description: str | None = strawberry.field(description="Null: none.")
    labels: list[Label]
    owner: ApiKeyOwner | None = strawberry.field(description="Null: nobody.")
    expires_at: Instant | None = strawberry.field(description="Null: never.")

    @classmethod
    def of(cls, settings: KeySettings) -> ApiKeyPreview:
        return cls(
            name=settings.name,
            environment=Environment.of(catalogue.current().environment(settings.environment)),
            permissions=[Permission.named(name) for name in settings.permissions],
            allowed_ips=[Network(text) for text in settings.allowed_ips],
            description=settings.description,
            labels=[Label.of(word) for word in settings.labels],
            owner=ApiKeyOwner.of(settings.owner),
            expires_at=instant(settings.expires_at),
        )


@object_type(requires=ANYONE)
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
    description: str | None = strawberry.field(default=strawberry.UNSET, description="Null or empty: none.")
    labels: list[LabelInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them: this replaces the list. Null or empty: none."
    )
    owner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a user who is a member of the workspace; null: nobody."
    )
    expires_at: Instant | None = strawberry.field(
        default=strawberry.UNSET, description="Null: the key never expires, where its environment allows that."
    )
    expected_revision: str | None = strawberry.field(default=strawberry.UNSET, description=EXPECTED_REVISION)
    validate_only: bool = strawberry.field(
        default=False, description="Only say what is wrong, or an `ApiKeyPreview` of what the key would be; nothing is written."
    )

    def to_domain(self) -> dict[str, Any]:
        """The edit that the input describes. Raises ValidationFailed for null in a field that cannot be cleared."""
        require_values(name=self.name, permissions=self.permissions)
        return settings_in(self)


@object_type(requires=ANYONE)
class UpdateApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class SuspendApiKeyInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class SuspendApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class ResumeApiKeyInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class ResumeApiKeyPayload:
    api_key: ApiKey


@strawberry.input
class RevokeApiKeyInput:
    id: strawberry.ID
    reason: Reason
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="For the audit log and the key's page; cut after 1,000 characters."
    )


@object_type(requires=ANYONE)
class RevokeApiKeyPayload:
    api_key: ApiKey


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
class ApiKeyMutation:
    @mutation("Makes an API key. Its secret is in this answer and nowhere else, ever.", requires=Action.CREATE_API_KEY)
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyResult | None:
        actor, slug = info.context.actor, unset_to_none(input.workspace)
        if input.validate_only:
            return ApiKeyPreview.of(await service.check(actor, slug, input.to_domain()))
        made = await service.create(actor, slug, input.to_domain(), idempotency_key=unset_to_none(input.idempotency_key))
        return CreateApiKeyPayload(api_key=ApiKey.of(made.key, made.at), secret=made.secret)

    @mutation("Changes what is given and leaves the rest. A key's environment cannot be changed.", requires=Action.UPDATE_API_KEY)
    async def update_api_key(self, info: Info, input: UpdateApiKeyInput) -> UpdateApiKeyResult | None:
        actor, expected = info.context.actor, unset_to_none(input.expected_revision)
        if input.validate_only:
            return ApiKeyPreview.of(await service.check_update(actor, input.id, input.to_domain(), expected=expected))
        key = await service.update(actor, input.id, input.to_domain(), expected=expected)
        return UpdateApiKeyPayload(api_key=await _shown(info, key))

    @mutation("Refuses the key's requests until it is resumed. It still counts toward the plan.", requires=Action.SUSPEND_API_KEY)
    async def suspend_api_key(self, info: Info, input: SuspendApiKeyInput) -> SuspendApiKeyResult | None:
        return SuspendApiKeyPayload(api_key=await _shown(info, await service.suspend(info.context.actor, input.id)))

    @mutation("Accepts a suspended key's requests again.", requires=Action.RESUME_API_KEY)
    async def resume_api_key(self, info: Info, input: ResumeApiKeyInput) -> ResumeApiKeyResult | None:
        return ResumeApiKeyPayload(api_key=await _shown(info, await service.resume(info.context.actor, input.id)))

    @mutation(
        "Revokes the key permanently: no request that begins after this answer is accepted. Never refused; repeated, it\n"
        "answers the same and changes nothing.",
        requires=Action.REVOKE_API_KEY,
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyResult | None:
        key = await service.revoke(info.context.actor, input.id, input.reason, unset_to_none(input.note))
        return RevokeApiKeyPayload(api_key=await _shown(info, key))


def settings_in(input: object) -> dict[str, Any]:
    """The settings that an input contains, without those that were left out."""
    values = {name: getattr(input, name, strawberry.UNSET) for name in SETTINGS}
    there = {name: value for name, value in values.items() if value is not strawberry.UNSET}
    return {name: _setting(name, value) for name, value in there.items()}


def _setting(name: str, value: Any) -> Any:
    if name in LISTS:
        return tuple(map(_word, value or ()))
    return Owner(str(value)) if name == "owner" and value is not None else value


def _word(entry: str | LabelInput) -> str:
    return entry if isinstance(entry, str) else entry.word


async def _shown(info: Info, key: Key) -> ApiKey:
    return ApiKey.of(key, await info.context.now())
