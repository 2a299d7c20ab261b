"""Runs all checks."""

from __future__ import annotations

from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.doctor.database_checks import of_database
from app.doctor.finding import Finding
from app.doctor.settings_checks import of_settings
from app.settings import Settings


async def examine(actor: Actor, settings: Settings) -> list[Finding]:
    """All findings, the settings first. Read-only. Operator only. Raises Unavailable."""
    policy.require_operator(actor, OperatorAction.EXAMINE)
    return [*of_settings(settings), *await of_database(actor, settings)]
