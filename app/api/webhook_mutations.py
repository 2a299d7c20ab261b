"""Mutations of webhooks: each parses its input, calls one use case, and renders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import mutation, object_type
from app.api.framework.inputs import SLUG, require_values
from app.api.framework.scalars import unset_to_none
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.webhooks import Webhook, WebhookDelivery
from app.webhooks import service
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind

_EVENTS = "Names as `webhookEvents` lists them; none: all, also future ones."


@strawberry.input
class CreateWebhookInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    name: str = strawberry.field(description="What people will call it; at most 100 characters.")
    url: str = strawberry.field(description="`https`, port 443 or 8443, on a public address.")
    kind: Kind = strawberry.field(default=Kind.STANDARD, description="In which form it is sent.")
    events: list[str] | None = strawberry.field(default=strawberry.UNSET, description=_EVENTS)
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Any text, at most 200 characters. Repeated within 24 hours with the same input it gives the same webhook, with\n"
            "`secret: null`; with another input, or if that webhook has been deleted since, a Conflict."
        ),
    )
    validate_only: bool = strawberry.field(
        default=False,
        description=(
            "Only say what is wrong, or a `WebhookPreview` of what it would be; nothing is written, and an `idempotencyKey` not\n"
            "looked at."
        ),
    )


@object_type("What a webhook would be. The answer to `validateOnly`.", requires=ANYONE)
class WebhookPreview:
    name: str = strawberry.field(description="The name without invisible characters.")
    kind: Kind = strawberry.field(description="In which form it would be sent.")
    url: str = strawberry.field(description="Where it would lead; of a chat's, which is a secret, only the host is shown.")
    events: list[str] = strawberry.field(description="The types of events it would be sent; none: all, also future ones.")

    @classmethod
    def of(cls, preview: service.Preview) -> WebhookPreview:
        return cls(name=preview.name, kind=preview.kind, url=preview.url, events=list(preview.events))


@object_type(requires=ANYONE)
class CreateWebhookPayload:
    webhook: Webhook
    secret: str | None = strawberry.field(
        description=(
            "Shown now and never again; null for a chat, for a repeated `idempotencyKey`, and for a management key, which sees no\n"
            "secrets."
        )
    )


@strawberry.input
class UpdateWebhookInput:
    id: strawberry.ID
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Left out: as it is.")
    url: str | None = strawberry.field(
        default=strawberry.UNSET, description="Waiting messages go to this URL, too. Left out: as it is."
    )
    events: list[str] | None = strawberry.field(default=strawberry.UNSET, description=f"{_EVENTS} Left out: as they are.")
    enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="False: nothing is sent, and what is waiting is given up. Left out: as it is."
    )
    validate_only: bool = strawberry.field(
        default=False, description="Only say what is wrong, or a `WebhookPreview` of what it would be; nothing is written."
    )


@object_type(requires=ANYONE)
class UpdateWebhookPayload:
    webhook: Webhook


@strawberry.input
class DeleteWebhookInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class DeleteWebhookPayload:
    deleted_id: strawberry.ID = strawberry.field(description="The id of the webhook, which no longer exists.")


@strawberry.input
class RotateWebhookSecretInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class RotateWebhookSecretPayload:
    webhook: Webhook
    secret: str | None = strawberry.field(description="Shown now and never again.")


@strawberry.input
class TestWebhookInput:
    id: strawberry.ID


@object_type(requires=ANYONE)
class TestWebhookPayload:
    webhook: Webhook


@strawberry.input
class RedeliverWebhookInput:
    id: strawberry.ID = strawberry.field(description="The id of the delivery, `whd_…`.")


@object_type(requires=ANYONE)
class RedeliverWebhookPayload:
    webhook: Webhook
    delivery: WebhookDelivery = strawberry.field(description="The delivery, which is waiting again.")


CreateWebhookResult: TypeAlias = Annotated[
    CreateWebhookPayload | WebhookPreview | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("CreateWebhookResult"),
]
UpdateWebhookResult: TypeAlias = Annotated[
    UpdateWebhookPayload | WebhookPreview | ValidationFailed | NotFound | NotAllowed, strawberry.union("UpdateWebhookResult")
]
DeleteWebhookResult: TypeAlias = Annotated[DeleteWebhookPayload | NotFound | NotAllowed, strawberry.union("DeleteWebhookResult")]
RotateWebhookSecretResult: TypeAlias = Annotated[
    RotateWebhookSecretPayload | NotFound | NotAllowed | Conflict, strawberry.union("RotateWebhookSecretResult")
]
TestWebhookResult: TypeAlias = Annotated[
    TestWebhookPayload | NotFound | NotAllowed | Conflict, strawberry.union("TestWebhookResult")
]
RedeliverWebhookResult: TypeAlias = Annotated[
    RedeliverWebhookPayload | NotFound | NotAllowed | Conflict, strawberry.union("RedeliverWebhookResult")
]


@strawberry.type
class WebhookMutation:
    @mutation("Makes a webhook. Its secret is in this answer and nowhere else, ever.", requires=Action.CREATE_WEBHOOK)
    async def create_webhook(self, info: Info, input: CreateWebhookInput) -> CreateWebhookResult | None:
        wanted = WebhookInput(input.name, input.kind, input.url, tuple(unset_to_none(input.events) or ()))
        actor, slug = info.context.actor, unset_to_none(input.workspace)
        if input.validate_only:
            return WebhookPreview.of(await service.check(actor, slug, wanted))
        made = await service.create(actor, slug, wanted, idempotency_key=unset_to_none(input.idempotency_key))
        return CreateWebhookPayload(webhook=Webhook.of(made.webhook), secret=made.secret)

    @mutation("Changes what is given, and leaves the rest.", requires=Action.UPDATE_WEBHOOK)
    async def update_webhook(self, info: Info, input: UpdateWebhookInput) -> UpdateWebhookResult | None:
        require_values(name=input.name, url=input.url, events=input.events, enabled=input.enabled)
        actor, name, url = info.context.actor, unset_to_none(input.name), unset_to_none(input.url)
        chosen = unset_to_none(input.events)
        if input.validate_only:
            return WebhookPreview.of(await service.check_update(actor, input.id, name=name, url=url, chosen=chosen))
        enabled = unset_to_none(input.enabled)
        webhook = await service.update(actor, input.id, name=name, url=url, chosen=chosen, enabled=enabled)
        return UpdateWebhookPayload(webhook=Webhook.of(webhook))

    @mutation("Deletes a webhook with its deliveries; nothing is sent to it anymore.", requires=Action.DELETE_WEBHOOK)
    async def delete_webhook(self, info: Info, input: DeleteWebhookInput) -> DeleteWebhookResult | None:
        return DeleteWebhookPayload(deleted_id=strawberry.ID((await service.delete(info.context.actor, input.id)).id))

    @mutation(
        "Makes a new secret. During 24 hours each message has two signatures, one by each secret.",
        requires=Action.READ_WEBHOOK_SECRET,
    )
    async def rotate_webhook_secret(self, info: Info, input: RotateWebhookSecretInput) -> RotateWebhookSecretResult | None:
        made = await service.rotate_secret(info.context.actor, input.id)
        return RotateWebhookSecretPayload(webhook=Webhook.of(made.webhook), secret=made.secret)

    @mutation("Sends a message of the type `webhook.test`, whatever events were chosen.", requires=Action.SEND_TO_WEBHOOK)
    async def test_webhook(self, info: Info, input: TestWebhookInput) -> TestWebhookResult | None:
        return TestWebhookPayload(webhook=Webhook.of(await service.send_test(info.context.actor, input.id)))

    @mutation("Sends a message again, now and with the same id, also one that arrived.", requires=Action.SEND_TO_WEBHOOK)
    async def redeliver_webhook(self, info: Info, input: RedeliverWebhookInput) -> RedeliverWebhookResult | None:
        webhook, delivery = await service.redeliver(info.context.actor, input.id)
        return RedeliverWebhookPayload(webhook=Webhook.of(webhook), delivery=WebhookDelivery.of(delivery, webhook.workspace_id))
