"""Rotations, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Job, Noun
from app.rotations import announce, service
from app.rotations.events import EVENTS
from app.rotations.rotation import ROTATION_ID
from app.rotations.tables import RotationDismissalRow, RotationRow

NOUN: Final = Noun(
    "rotations",
    tables=(RotationRow, RotationDismissalRow),
    events=EVENTS,
    jobs=(
        Job("rotations.finish", 1, service.finish_due, wanted=service.anything_due),
        Job("rotations.announce", 15, announce.announce_states, wanted=announce.is_any_open),
    ),
    id_prefixes=(ROTATION_ID,),
    exports=(
        Export(
            "rotation",
            "rotation",
            "workspace",
            "id workspace predecessor successor started_at started_by_kind started_by_id started_by_name deadline on_deadline"
            " quiet_period ended_at ended_by_kind ended_by_id ended_by_name outcome",
        ),
        Export("rotationDismissal", "rotation_dismissal", "rotation", "rotation user_agent at by_name"),
    ),
)
