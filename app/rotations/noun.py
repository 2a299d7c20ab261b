"""Rotations, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Job, Noun
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
)
