"""Jobs, as a noun."""

from __future__ import annotations

from typing import Final

from app.jobs.tables import JobRow
from app.noun import Noun

NOUN: Final = Noun(
    "jobs",
    tables=(JobRow,),
    unsaved=(JobRow,),
)
