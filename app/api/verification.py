"""Asking what a key would be told."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.api.catalogue import Permission
from app.api.context import Info
from app.api.inputs import SLUG
from app.api.keys import ApiKey
from app.api.problems import NotAllowed, NotFound, ValidationFailed
from app.api.resolving import mutation
from app.api.scalars import given
from app.verification import preview
from app.verification.verify import MESSAGES, Code


@strawberry.input
class VerifyApiKeyInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    key: str = strawberry.field(description="The whole secret.")
    permission: str | None = strawberry.field(default=strawberry.UNSET, description="What the request needs; left out: nothing.")
    environment: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where the request arrives; left out: anywhere."
    )
    ip: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where the request comes from; a key with an allow-list needs it."
    )


@strawberry.type
class VerifyApiKeyPayload:
    valid: bool
    verdict: Code = strawberry.field(description="As at the gateway, the first that applies.")
    code: str = strawberry.field(
        description="`verdict` as a String, which `code` of problems is too: so both can be asked for at once."
    )
    message: str = strawberry.field(description="For people.")
    api_key: ApiKey | None = strawberry.field(description="Null when MALFORMED or NOT_FOUND.")
    missing_permission: Permission | None = strawberry.field(description="What the key lacks when PERMISSION_DENIED.")


VerifyApiKeyResult: TypeAlias = Annotated[
    VerifyApiKeyPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("VerifyApiKeyResult")
]


@strawberry.type
class VerificationMutation:
    @mutation("What a request with this key would be told now. Counts nothing and leaves no trace of use.")
    async def verify_api_key(self, info: Info, input: VerifyApiKeyInput) -> VerifyApiKeyResult | None:
        question = preview.Question(input.key, given(input.permission), given(input.environment), given(input.ip))
        answer = await preview.ask(info.context.actor, given(input.workspace), question)
        missing = answer.missing_permission
        return VerifyApiKeyPayload(
            valid=answer.code is Code.VALID,
            verdict=answer.code,
            code=answer.code,
            message=MESSAGES[answer.code],
            api_key=ApiKey.of(answer.key, await info.context.now()) if answer.key else None,
            missing_permission=Permission.named(missing) if missing else None,
        )
