"""The checklist, as a noun."""

from __future__ import annotations

from typing import Final

from app.checklist.events import EVENTS
from app.checklist.tables import AttestationRow, UsageVisitRow
from app.noun import Noun

NOUN: Final = Noun(
    "checklist",
    tables=(AttestationRow, UsageVisitRow),
    events=EVENTS,
)
