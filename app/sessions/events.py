"""Audit events of sessions."""

from __future__ import annotations

from typing import Final

from app.noun import Event

STARTED: Final = Event("session.started", "Signed in")
CONFIRMED: Final = Event("session.confirmed", "Confirmed the password")
ENDED: Final = Event("session.ended", "Signed out")

EVENTS: Final = (
    STARTED,
    CONFIRMED,
    ENDED,
)
