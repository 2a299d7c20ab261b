"""Plans, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.plans.events import EVENTS

NOUN: Final = Noun("plans", events=EVENTS)
