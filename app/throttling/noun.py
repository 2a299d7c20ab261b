"""Throttling, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.throttling import service
from app.throttling.tables import ThrottleRow

NOUN: Final = Noun(
    "throttling",
    tables=(ThrottleRow,),
    unsaved=(ThrottleRow,),
    purges=(service.purge_expired,),
)
