"""An alert in a sentence or two, for the list, for mail and for GraphQL."""

from __future__ import annotations

from typing import Any, Final

from app.alerts.alert import Alert, Kind, Withheld
from app.alerts.rules import RULES

_MOST_NAMED: Final = 3
_WITHHELD: Final = {
    Withheld.DAILY_LIMIT: "Not suspended: the daily limit of automatic suspensions was reached.",
    Withheld.ROTATION: "Not suspended: the other key of its rotation is suspended.",
    Withheld.RESUMED: "Not suspended again: a person has resumed it from this incident.",
}


def summary(alert: Alert) -> str:
    """What was found, with the most important evidence."""
    return f"{RULES[alert.kind].sentence}{_detail(alert)}"


def usual(alert: Alert) -> str:
    """What is usual instead; empty for a date."""
    known = alert.baseline
    match alert.kind:
        case Kind.UNEXPECTED_NETWORK:
            count = int(known.get("networkCount", 0))
            return f"Usual: {_listed(known.get('networks', []), count)}."
        case Kind.FAILURE_SPIKE:
            return f"Usual: {number(alert.evidence.get('usual', 0))} {alert.evidence.get('unit', 'failures')}."
        case Kind.OUTSIDE_BUSINESS_HOURS:
            return f"Usual: {_hours(known)}."
        case Kind.UNUSED_PERMISSION:
            names = known.get("permissions", [])
            return f"Usual: {_listed(names, len(names))}." if names else "Usual: no permission."
        case Kind.DORMANT_KEY:
            return f"Its longest earlier pause: {known.get('longestPauseDays', 0)} days."
        case Kind.USE_AFTER_REVOCATION | Kind.USE_AFTER_EXPIRY if known.get("networks"):
            return f"Used before from {_listed(known['networks'], len(known['networks']))}."
    return ""


def suspension(alert: Alert) -> str:
    """What the alert did to its key by itself, or why it did not; empty if its rule does not suspend."""
    if alert.suspended_at is not None:
        return "Keydesk has suspended the key."
    return _WITHHELD[alert.withheld] if alert.withheld else ""


def number(value: float) -> str:
    """`0.04`, `3`, `1,200`."""
    return f"{value:,.0f}" if value == round(value) or value >= 10 else f"{value:.2g}"


def _detail(alert: Alert) -> str:
    found = alert.evidence
    networks = _listed(found.get("networks", []), int(found.get("networkCount", len(found.get("networks", [])))))
    match alert.kind:
        case Kind.UNEXPECTED_NETWORK:
            return f" {networks}{_programs(found)}."
        case Kind.FAILURE_SPIKE:
            return f" {number(found.get('now', 0))} {found.get('unit', 'failures')}, from {networks}."
        case Kind.OUTSIDE_BUSINESS_HOURS:
            times = [f"{cell.split()[0].capitalize()} {cell.split()[1]}:00" for cell in found.get("times", [])]
            return f" {_listed(times, len(times))} ({found.get('zone', 'UTC')})."
        case Kind.UNUSED_PERMISSION:
            names, strange = found.get("permissions", []), found.get("notHeld", [])
            held = ", which it does not have" if names and set(names) == set(strange) else ""
            return f" {_listed(names, len(names))}{held}{_programs(found)}."
        case Kind.DORMANT_KEY:
            return f" {found.get('daysWithoutUse', 30)} days{_programs(found)}."
        case Kind.USE_AFTER_REVOCATION | Kind.USE_AFTER_EXPIRY:
            return f" From {networks}."
    return ""


def _listed(names: list[str], count: int) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(names[:_MOST_NAMED])
    more = max(count, len(names)) - min(len(names), _MOST_NAMED)
    if not shown:
        return f"{more} unknown networks" if more else "an unknown network"
    return f"{shown} and {more} more" if more > 0 else shown


def _programs(found: Any) -> str:
    agents = found.get("userAgents", [])
    return f" by {_listed(agents, len(agents))}" if agents else ""


def _hours(known: Any) -> str:
    working, resting = _ranges(known.get("workdayHours", [])), _ranges(known.get("weekendHours", []))
    if known.get("businessHours"):
        return f"business hours, {known['businessHours']}"
    return f"working days {working or 'never'}, weekends {resting or 'never'}"


def _ranges(hours: list[int]) -> str:
    """`8–18` for the hours from 8 to 17."""
    found = list[list[int]]()
    for hour in sorted(hours):
        if found and hour == found[-1][1]:
            found[-1][1] = hour + 1
        else:
            found.append([hour, hour + 1])
    return ", ".join(f"{first}–{last}" for first, last in found)
