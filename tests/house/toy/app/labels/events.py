"""What the audit log says about labels."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("label.created", "Created the label {name}")

EVENTS: Final = (CREATED,)
