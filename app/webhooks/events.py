"""Audit events of webhooks. None is published: a webhook must not report its own changes."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("webhook.created", "Created the webhook {name}")
UPDATED: Final = Event("webhook.updated", "Changed the {changed} of a webhook")
ENABLED: Final = Event("webhook.enabled", "Enabled the webhook {name}")
DISABLED: Final = Event("webhook.disabled", "Disabled the webhook {name}: {because}")
SECRET_ROTATED: Final = Event("webhook.secret_rotated", "Rotated the secret of the webhook {name}")
TESTED: Final = Event("webhook.tested", "Sent a test to the webhook {name}")
REDELIVERED: Final = Event("webhook.redelivered", "Sent a message again to the webhook {name}")
DELETED: Final = Event("webhook.deleted", "Deleted the webhook {name}")

EVENTS: Final = (
    CREATED,
    UPDATED,
    ENABLED,
    DISABLED,
    SECRET_ROTATED,
    TESTED,
    REDELIVERED,
    DELETED,
)
