"""The evidence of an alert as a drawing: what is usual beside what was found."""

from __future__ import annotations

from dataclasses import dataclass

from app.alerts.alert import Alert
from app.alerts.words import number
from app.web.presentation import chart


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both values in words, and as lengths of one scale."""

    usual: str
    now: str
    unit: str
    drawn: chart.Comparison


def compared(alert: Alert) -> Evidence | None:
    """None for an alert about a date."""
    found = alert.evidence
    if "now" not in found:
        return None
    usual, now = float(found["usual"]), float(found["now"])
    return Evidence(number(usual), number(now), str(found["unit"]), chart.comparison(usual, now))
