"""Peppers, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.peppers.tables import PepperRow

NOUN: Final = Noun(
    "peppers",
    tables=(PepperRow,),
)
