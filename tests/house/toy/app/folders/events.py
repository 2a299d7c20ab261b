"""What the audit log says about folders."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("folder.created", "Created the folder {name}")

EVENTS: Final = (CREATED,)
