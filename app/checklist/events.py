"""Audit events of the checklist."""

from __future__ import annotations

from typing import Final

from app.noun import Event

ATTESTED: Final = Event("checklist.attested", "Confirmed in the checklist: {title}")

EVENTS: Final = (ATTESTED,)
