"""Audit events of calendar links."""

from __future__ import annotations

from typing import Final

from app.noun import Event

LINK_MADE: Final = Event("calendar_link.made", "Made a new link to the calendar of this workspace")
LINK_WITHDRAWN: Final = Event("calendar_link.withdrawn", "Withdrew the link to the calendar of this workspace")

EVENTS: Final = (
    LINK_MADE,
    LINK_WITHDRAWN,
)
