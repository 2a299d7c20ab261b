"""The whole examination."""

from __future__ import annotations

from app.access.actor import Actor
from app.doctor.chosen import of_settings
from app.doctor.finding import Finding
from app.doctor.held import of_database
from app.errors import NotAllowed
from app.settings import Settings


async def examine(actor: Actor, settings: Settings) -> list[Finding]:
    """Everything, the settings first; changes nothing. Operator only. Raises Unavailable."""
    if actor.is_member:
        raise NotAllowed("The installation is looked into by whoever runs Keydesk.")
    return [*of_settings(settings), *await of_database(actor, settings)]
