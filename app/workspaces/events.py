"""Audit events of workspaces."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("workspace.created", "Created the workspace {name}")
UPDATED: Final = Event("workspace.updated", "Changed the {changed} of the workspace")
SUSPENDED: Final = Event("workspace.suspended", "Suspended the workspace")
RESUMED: Final = Event("workspace.resumed", "Resumed the workspace")

TRANSFERRED: Final = Event("workspace.transferred", "Made {owner} the only owner of the workspace")
DELETED: Final = Event("workspace.deleted", "Deleted the workspace {name}, with {api_keys} API keys")

EVENTS: Final = (
    CREATED,
    UPDATED,
    SUSPENDED,
    RESUMED,
    TRANSFERRED,
    DELETED,
)
