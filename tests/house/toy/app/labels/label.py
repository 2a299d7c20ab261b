"""A label, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LABEL_ID: Final = "lab"


@dataclass(frozen=True, slots=True)
class Label:
    id: str
    workspace_id: str
    name: str
    created_at: int
