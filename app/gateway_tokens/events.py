"""Audit events of gateway tokens."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("gateway_token.created", "Created the gateway token {name}")
REVOKED: Final = Event("gateway_token.revoked", "Revoked the gateway token {name}")

EVENTS: Final = (
    CREATED,
    REVOKED,
)
