"""Audit events of calendar links."""

from __future__ import annotations

from typing import Final

from app.noun import Event

LINK_MADE: Final = Event("calendar_link.made", "Created a calendar link for this workspace")
LINK_WITHDRAWN: Final = Event("calendar_link.withdrawn", "Deleted the calendar link of this workspace")

EVENTS: Final = (
    LINK_MADE,
    LINK_WITHDRAWN,
)
