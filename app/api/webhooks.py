"""Webhooks and their deliveries: the types, those of a workspace, and the events that can be chosen."""

from __future__ import annotations

import strawberry

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, Node, page
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import field, object_type, paged
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, instant
from app.tenancy.service import Access
from app.webhooks import service
from app.webhooks import webhook as noun
from app.webhooks.validation import PUBLISHED
from app.webhooks.webhook import DELIVERY_ID, WEBHOOK_ID

strawberry.enum(noun.Kind, name="WebhookKind", description="In which form messages are sent.")
strawberry.enum(noun.Disabled, name="WebhookDisabledReason", description="Why nothing is sent to a webhook.")
strawberry.enum(noun.State, name="WebhookDeliveryState", description="Whether a message arrived.")


@object_type("A type of event that webhooks can be sent. Its name is what inputs take.", requires=ANYONE)
class WebhookEvent:
    name: str = strawberry.field(description="`key.revoked`; the `type` of a message.")
    description: str = strawberry.field(description="What happened, in a sentence.")


@object_type("A message to one webhook, and what came of its last attempt.", requires=Action.READ_WEBHOOKS)
class WebhookDelivery(Node):
    message_id: str = strawberry.field(description="The `webhook-id` of every attempt.")
    type: str = strawberry.field(description="`key.revoked`, or `webhook.test`.")
    state: noun.State = strawberry.field(description="Whether it arrived.")
    created_at: Instant = strawberry.field(description="When it happened.")
    attempts: int = strawberry.field(description="How often it was tried.")
    attempted_at: Instant | None = strawberry.field(description="When it was last tried; null: not yet.")
    next_attempt_at: Instant | None = strawberry.field(description="When it is tried next; null: never again.")
    status_code: int | None = strawberry.field(description="Of the last response; null: there was none.")
    duration_ms: int | None = strawberry.field(description="How long the last response took, in milliseconds.")
    response: str | None = strawberry.field(description="The beginning of the last response, as a line of text.")
    failure: str | None = strawberry.field(description="Why there was no response, or none that counts.")
    body: str = strawberry.field(description="The message: JSON, as it is signed.")
    workspace_id: strawberry.Private[str]

    @classmethod
    def of(cls, delivery: noun.Delivery, workspace_id: str) -> WebhookDelivery:
        return cls(
            id=strawberry.ID(delivery.id),
            workspace_id=workspace_id,
            message_id=delivery.message_id,
            type=delivery.type,
            state=delivery.state,
            created_at=Instant(delivery.created_at),
            attempts=delivery.attempts,
            attempted_at=instant(delivery.attempted_at),
            next_attempt_at=instant(delivery.due_at),
            status_code=delivery.status_code,
            duration_ms=delivery.duration_ms,
            response=delivery.response,
            failure=delivery.failure,
            body=delivery.body,
        )


@object_type("A URL that is sent what happens in the workspace. For owners only.", requires=Action.READ_WEBHOOKS)
class Webhook(Node):
    name: str = strawberry.field(description="What people call it.")
    kind: noun.Kind = strawberry.field(description="In which form it is sent; never changes.")
    url: str = strawberry.field(description="Where it leads; of a chat's, which is a secret, only the host is shown.")
    events: list[str] = strawberry.field(description="The types of events it is sent; none: all, also future ones.")
    enabled: bool = strawberry.field(description="Whether anything is sent.")
    disabled_at: Instant | None = strawberry.field(description="Since when nothing is sent; null: it is enabled.")
    disabled_reason: noun.Disabled | None = strawberry.field(description="Why nothing is sent; null: it is enabled.")
    failing_since: Instant | None = strawberry.field(description="The first failure since something arrived; null: none failed.")
    previous_secret_until: Instant | None = strawberry.field(
        description="Until when the secret before the last rotation signs, too; null: it was never rotated."
    )
    created_at: Instant
    created_by: str = strawberry.field(description="The name of its maker at that time.")
    workspace_id: strawberry.Private[str]
    found: strawberry.Private[noun.Webhook]

    @classmethod
    def of(cls, webhook: noun.Webhook) -> Webhook:
        return cls(
            id=strawberry.ID(webhook.id),
            name=webhook.name,
            kind=webhook.kind,
            url=webhook.url,
            events=list(webhook.events),
            enabled=webhook.disabled_at is None,
            disabled_at=instant(webhook.disabled_at),
            disabled_reason=webhook.disabled_because,
            failing_since=instant(webhook.failing_since),
            previous_secret_until=instant(webhook.previous_until),
            created_at=Instant(webhook.created_at),
            created_by=webhook.created_by_name,
            workspace_id=webhook.workspace_id,
            found=webhook,
        )

    @field("When it was last edited, enabled or disabled, or got another secret, else made.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.workspace_id, self.id, self.created_at))

    @paged("What was sent to it in the last 30 days, at most 1,000, and what is waiting; the newest first.")
    async def deliveries(self, info: Info, args: ConnectionArgs) -> Connection[WebhookDelivery] | None:
        access = await info.context.workspaces.load(self.workspace_id)
        name = f"{self.id} deliveries"
        found = await service.deliveries(access, self.found, args.of(name))

        async def count() -> int:
            return await service.count_deliveries(access, self.found)

        def node(delivery: noun.Delivery) -> WebhookDelivery:
            return WebhookDelivery.of(delivery, self.workspace_id)

        return page(name, found, node=node, position=lambda each: (each.created_at, each.id), count=count)


@strawberry.type
class WebhookQuery:
    @field("The types of events that webhooks can be sent.", requires=ANYONE)
    def webhook_events(self) -> list[WebhookEvent]:
        return [WebhookEvent(name=event.name, description=event.published) for event in PUBLISHED.values()]


async def webhooks(access: Access) -> list[Webhook]:
    """All webhooks of a workspace, the oldest first."""
    return [Webhook.of(webhook) for webhook in await service.webhooks(access)]


@found_by_id(WEBHOOK_ID)
async def _by_id(context: Context, webhook_id: str) -> Webhook:
    return Webhook.of(await service.get(context.actor, webhook_id))


@found_by_id(DELIVERY_ID)
async def _delivery_by_id(context: Context, delivery_id: str) -> WebhookDelivery:
    delivery, workspace_id = await service.get_delivery(context.actor, delivery_id)
    return WebhookDelivery.of(delivery, workspace_id)
