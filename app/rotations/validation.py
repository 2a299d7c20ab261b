"""Validates the options of a rotation, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.clock import DAY, HOUR, SECOND
from app.errors import FieldProblem, ValidationFailed
from app.rotations.rotation import LATEST_DEADLINE, OnDeadline, Rotation

DEFAULT_DEADLINE: Final = 7 * DAY
DEFAULT_QUIET_SECONDS: Final = HOUR // SECOND
LONGEST_QUIET_SECONDS: Final = 7 * DAY // SECOND


@dataclass(frozen=True, slots=True)
class RotationOptions:
    """Options of a new rotation. `deadline` in microseconds, None: 7 days after the start."""

    deadline: int | None = None
    on_deadline: OnDeadline = OnDeadline.KEEP_AND_ALERT
    quiet_seconds: int = DEFAULT_QUIET_SECONDS

    @property
    def quiet_period(self) -> int:
        """Microseconds."""
        return self.quiet_seconds * SECOND


def checked_deadline(terms: RotationOptions, now: int) -> int:
    """The deadline of a rotation that starts now. Raises ValidationFailed with every fault of the options."""
    deadline = now + DEFAULT_DEADLINE if terms.deadline is None else terms.deadline
    faults = [fault for fault in (_deadline_fault(deadline, now, now), _quiet_fault(terms.quiet_seconds)) if fault]
    if faults:
        raise ValidationFailed(*faults)
    return deadline


def check_extension(rotation: Rotation, deadline: int, now: int) -> None:
    """Raises ValidationFailed for a new deadline that is earlier than the current one, in the past, or too far away."""
    fault = _deadline_fault(deadline, rotation.started_at, now)
    if not fault and deadline < rotation.deadline:
        fault = FieldProblem("deadline", "TOO_EARLY", "Choose a time later than the present deadline.")
    if fault:
        raise ValidationFailed(fault)


def _deadline_fault(deadline: int, started_at: int, now: int) -> FieldProblem | None:
    if deadline <= now:
        return FieldProblem("deadline", "IN_THE_PAST", "Choose a time in the future.")
    if deadline > started_at + LATEST_DEADLINE:
        message = f"A rotation takes {LATEST_DEADLINE // DAY} days at most, extensions included."
        return FieldProblem("deadline", "TOO_LATE", message)
    return None


def _quiet_fault(seconds: int) -> FieldProblem | None:
    if 0 <= seconds <= LONGEST_QUIET_SECONDS:
        return None
    message = f"Choose from 0 to {LONGEST_QUIET_SECONDS} seconds, which is 7 days."
    return FieldProblem("quietPeriodSeconds", "OUT_OF_RANGE", message)
