"""Audit events of plans."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CHANGED: Final = Event(
    "plan.changed", "Changed the plan from {before} to {after}", published="The workspace changed to another plan."
)

EVENTS: Final = (CHANGED,)
