"""The whole examination."""

from __future__ import annotations

from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.doctor.chosen import of_settings
from app.doctor.finding import Finding
from app.doctor.held import of_database
from app.settings import Settings


async def examine(actor: Actor, settings: Settings) -> list[Finding]:
    """Everything, the settings first; changes nothing. Operator only. Raises Unavailable."""
    policy.require_operator(actor, OperatorAction.EXAMINE)
    return [*of_settings(settings), *await of_database(actor, settings)]
