"""Webhooks, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Job, Noun
from app.webhooks import dispatch
from app.webhooks.events import EVENTS
from app.webhooks.tables import WebhookDeliveryRow, WebhookRow
from app.webhooks.webhook import DELIVERY_ID, WEBHOOK_ID

NOUN: Final = Noun(
    "webhooks",
    tables=(WebhookRow, WebhookDeliveryRow),
    # A restored backup must not send again what was sent before.
    unsaved=(WebhookDeliveryRow,),
    events=EVENTS,
    jobs=(Job("webhooks", 0, dispatch.run, dispatch.is_wanted), Job("webhook_logs", 3_600, dispatch.tidy, dispatch.is_any_logged)),
    id_prefixes=(WEBHOOK_ID, DELIVERY_ID),
    exports=(
        Export(
            "webhook",
            "webhook",
            "workspace",
            "id workspace name kind events created_at created_by_name previous_until disabled_at disabled_because failing_since",
        ),
    ),
)
