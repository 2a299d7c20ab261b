"""Workspaces, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.workspaces.events import EVENTS

NOUN: Final = Noun("workspaces", events=EVENTS)
