"""Previews the answer that a verification of a key would get."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.catalogue import Permission
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import SLUG
from app.api.framework.scalars import unset_to_none
from app.api.key_types import ApiKey
from app.api.problems import NotAllowed, NotFound, ValidationFailed
from app.verification import preview
from app.verification.verdict import MESSAGES, Code


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


@object_type(requires=ANYONE)
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
    @mutation(
        "The answer that a request with this key would get now. Counts nothing and records no use.", requires=Action.VERIFY_API_KEY
    )
    async def verify_api_key(self, info: Info, input: VerifyApiKeyInput) -> VerifyApiKeyResult | None:
        question = preview.PreviewRequest(
            input.key, unset_to_none(input.permission), unset_to_none(input.environment), unset_to_none(input.ip)
        )
        answer = await preview.ask(info.context.actor, unset_to_none(input.workspace), question)
        missing = answer.missing_permission
        return VerifyApiKeyPayload(
            valid=answer.code is Code.VALID,
            verdict=answer.code,
            code=answer.code,
            message=MESSAGES[answer.code],
            api_key=ApiKey.of(answer.key, await info.context.now()) if answer.key else None,
            missing_permission=Permission.named(missing) if missing else None,
        )
