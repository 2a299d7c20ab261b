"""Audit events of rotations."""

from __future__ import annotations

from typing import Final

from app.noun import Event
from app.rotations.rotation import Outcome

STARTED: Final = Event(
    "rotation.started", "Began to rotate {name}", published="A rotation began: there is a successor, and both keys work."
)
EXTENDED: Final = Event("rotation.extended", "Extended the deadline of a rotation", published="A rotation got a later deadline.")
CALLER_DISMISSED: Final = Event(
    "rotation.caller_dismissed", "Ignored the caller {user_agent}", published="A caller of the old key no longer has to move."
)
CALLER_RESTORED: Final = Event(
    "rotation.caller_restored",
    "Stopped ignoring the caller {user_agent}",
    published="A dismissed caller of the old key has to move after all.",
)
SUCCESSOR_REPLACED: Final = Event(
    "rotation.successor_replaced",
    "Replaced the unused new key of a rotation",
    published="An unused successor was replaced by another one.",
)
COMPLETED: Final = Event(
    "rotation.completed",
    "Completed a rotation: the old key was revoked",
    published="A rotation was completed: the old key was revoked.",
)
CANCELLED: Final = Event("rotation.cancelled", "Cancelled a rotation", published="A rotation was cancelled.")
# Derived from how the keys are used; it changes nothing, so there is no audit entry.
STATE_CHANGED: Final = Event(
    "rotation.state_changed",
    "A rotation went from {before} to {after}",
    published="A rotation is in another of its open states: `ISSUED`, `IN_USE`, `DRAINING` or `READY`.",
)

EVENTS: Final = (
    STARTED,
    EXTENDED,
    CALLER_DISMISSED,
    CALLER_RESTORED,
    SUCCESSOR_REPLACED,
    COMPLETED,
    CANCELLED,
    STATE_CHANGED,
)
OF_OUTCOME: Final = {Outcome.COMPLETED: COMPLETED, Outcome.CANCELLED: CANCELLED}
