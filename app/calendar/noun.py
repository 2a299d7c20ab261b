"""Calendar links, as a noun."""

from __future__ import annotations

from typing import Final

from app.calendar.events import EVENTS
from app.calendar.tables import CalendarLinkRow
from app.noun import Export, Noun

NOUN: Final = Noun(
    "calendar",
    tables=(CalendarLinkRow,),
    events=EVENTS,
    exports=(Export("calendarLink", "calendar_link", "workspace", "workspace created_at created_by created_by_name"),),
)
