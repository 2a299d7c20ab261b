"""The small drawing of an alert: what is usual beside what was found, as two bars of one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.alerts.alert import Alert
from app.alerts.words import number

WIDTH: Final = 100.0
_THINNEST: Final = 0.6


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bars; their lengths are shares of WIDTH."""

    usual: str
    now: str
    unit: str
    usual_length: float
    now_length: float


def compared(alert: Alert) -> Comparison | None:
    """None for an alert about a date."""
    found = alert.evidence
    if "now" not in found:
        return None
    usual, now = float(found["usual"]), float(found["now"])
    top = max(usual, now, 1e-9)
    lengths = [max(_THINNEST, WIDTH * value / top) for value in (usual, now)]
    return Comparison(number(usual), number(now), str(found["unit"]), *lengths)
