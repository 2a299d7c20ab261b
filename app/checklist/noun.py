"""The checklist, as a noun."""

from __future__ import annotations

from typing import Final

from app.checklist.events import EVENTS
from app.checklist.tables import AttestationRow, UsageVisitRow
from app.noun import Export, Noun

NOUN: Final = Noun(
    "checklist",
    tables=(AttestationRow, UsageVisitRow),
    events=EVENTS,
    exports=(
        Export("checklistAttestation", "checklist_attestation", "workspace", "workspace item at by_kind by_id by_name runbook_url"),
    ),
)
