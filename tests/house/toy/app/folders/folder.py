"""A folder, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FOLDER_ID: Final = "fol"


@dataclass(frozen=True, slots=True)
class Folder:
    id: str
    workspace_id: str
    name: str
    created_at: int
