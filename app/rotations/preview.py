"""Checks whether a rotation could start, and what its successor would be, without starting it."""

from __future__ import annotations

from dataclasses import dataclass

from app import catalogue
from app.access.actor import Actor
from app.access.policy import Action
from app.keys import service as keys
from app.keys.key import KeySettings
from app.rotations import queries, validation
from app.rotations.replace import settings_like
from app.rotations.start import refuse_inactive, refuse_open
from app.rotations.validation import RotationOptions
from app.tenancy import service as tenancy


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rotation would be that started now; `deadline` in microseconds."""

    successor: KeySettings
    deadline: int
    options: RotationOptions


async def check(actor: Actor, key_id: str, options: RotationOptions) -> Preview:
    """What `start` would do, without doing it. Raises the same errors, but no Conflict for an idempotency key."""
    key = await keys.get(actor, key_id, action=Action.ROTATE_API_KEY)
    access = await tenancy.reading(actor, None, Action.ROTATE_API_KEY, workspace_id=key.workspace_id)
    refuse_inactive(key, access.now)
    deadline = validation.checked_deadline(options, access.now)
    refuse_open(await queries.of_key(access, key))
    return Preview(settings_like(key, catalogue.current()), deadline, options)
