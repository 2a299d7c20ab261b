"""Audit events of management keys."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("management_key.created", "Created the management key {name}")
REVOKED: Final = Event("management_key.revoked", "Revoked the management key {name}")
TAKEN_OVER: Final = Event("management_key.taken_over", "Took over the management key {name}")

EVENTS: Final = (
    CREATED,
    REVOKED,
    TAKEN_OVER,
)
