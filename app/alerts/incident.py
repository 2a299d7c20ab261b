"""One alert for an incident, not for a request: pure decisions on what a finding does to the alerts that there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.alerts.alert import Resolution
from app.alerts.situation import LOOK_BACK, Finding

# Of the counters and values of an incident, this many are kept.
MOST_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class Incident:
    """What is stored of an alert about use to recognize its incident again."""

    first_at: int
    last_at: int
    count: int
    parts: dict[str, int]
    values: tuple[str, ...]
    resolved_at: int | None = None
    resolution: Resolution | None = None


def begun(finding: Finding) -> Incident:
    return Incident(
        finding.first_at, finding.last_at, sum(finding.parts.values()), _kept(finding.parts), finding.values[:MOST_PARTS]
    )


def extended(known: Incident, finding: Finding) -> Incident:
    """The incident with what was found since. Counters only grow, so nothing is counted twice."""
    more = sum(max(0, count - known.parts.get(part, 0)) for part, count in finding.parts.items())
    values = tuple(dict.fromkeys((*known.values, *finding.values)))
    if finding.values and all(value.isdecimal() for value in values):
        values = (str(max(int(value) for value in values)),)
    return Incident(
        min(known.first_at, finding.first_at),
        max(known.last_at, finding.last_at),
        known.count + more,
        _kept({**known.parts, **finding.parts}),
        values[-MOST_PARTS:],
    )


def is_new(latest: Incident | None, finding: Finding) -> bool:
    """Whether a finding is worth an alert although the latest one of its kind was resolved: it began later, it shows something that
    the resolved one did not, or it still goes on long after."""
    if latest is None or latest.resolved_at is None:
        return latest is None
    if finding.last_at <= latest.resolved_at:
        return False
    return shows_more(latest, finding) or finding.first_at > latest.resolved_at or finding.last_at >= latest.resolved_at + LOOK_BACK


def shows_more(latest: Incident, finding: Finding) -> bool:
    """Whether a finding shows something, such as a network, that the incident did not."""
    return any(not value.isdecimal() and value not in latest.values for value in finding.values)


def after(incident: Incident, latest: Incident | None) -> Incident:
    """The incident as one that follows the latest one: it begins after that was resolved."""
    if latest is None or latest.resolved_at is None:
        return incident
    return replace(incident, first_at=max(incident.first_at, latest.resolved_at + 1))


def _kept(parts: dict[str, int]) -> dict[str, int]:
    return dict([*parts.items()][-MOST_PARTS:])
