"""Audit events of operator keys."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("operator_key.created", "Created the operator key {name}")
REVOKED: Final = Event("operator_key.revoked", "Revoked the operator key {name}")

EVENTS: Final = (
    CREATED,
    REVOKED,
)
