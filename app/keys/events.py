"""Audit events of API keys."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("key.created", "Created the API key {name}", published="An API key was created.")
# Not published: an import can have thousands.
IMPORTED: Final = Event("key.imported", "Imported the API key {name} from {source}")
UPDATED: Final = Event(
    "key.updated",
    "Changed the {changed} of an API key",
    published="A setting of an API key was changed: its name, description, labels, owner, permissions, expiry or allowed"
    " addresses.",
)
SUSPENDED: Final = Event(
    "key.suspended",
    "Suspended the API key {name}",
    published="An API key was suspended: its requests are refused until it is resumed.",
)
RESUMED: Final = Event("key.resumed", "Resumed the API key {name}", published="A suspended API key works again.")
REVOKED: Final = Event("key.revoked", "Revoked the API key {name}: {reason}", published="An API key was revoked, permanently.")
# Raised with the alert about it; it changes nothing, so there is no audit entry.
EXPIRING: Final = Event("key.expiring", "The API key {name} expires at {expires_at}", published="An API key expires soon.")

EVENTS: Final = (
    CREATED,
    IMPORTED,
    UPDATED,
    SUSPENDED,
    RESUMED,
    REVOKED,
    EXPIRING,
)
