"""OUTSIDE_BUSINESS_HOURS: a key that keeps hours is used outside them.

Business hours are those of the workspace, an hour of tolerance before and after, or, where it has set none, the key's own: the
hours of the day, on working days or at weekends, in which it was used within 28 days. Whether a key keeps hours at all is
decided by the estimate of Good and Turing: the probability that its next active hour is one never seen, which is the share of hours
seen only once. A key for which this is above 1 in 200, such as one that works round the clock or irregularly, is left alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from app.alerts.alert import Kind
from app.alerts.baseline import HOURS_OF_WEEK, Hour, hour_of_week
from app.alerts.rules.rule import ON_USE, Rule
from app.alerts.situation import Finding, Situation
from app.alerts.statistics import unseen
from app.clock import DAY, HOUR, in_zone
from app.tenancy.workspace import DAYS, BusinessHours
from app.usage.usage import SUCCESSES

REGULAR: Final = 0.005
_FEWEST_DAYS: Final = 8
_LEARNING: Final = 14 * DAY
_FEWEST: Final = 3
_WORKDAYS: Final = DAYS[:5]
_TOLERANCE_HOURS: Final = 1
_MOST_OUTSIDE: Final = 0.05


def evaluate(situation: Situation) -> Finding | None:
    baseline = situation.baseline
    if baseline.active_days < _FEWEST_DAYS or baseline.age(situation.now) < _LEARNING:
        return None
    good = [hour for hour in situation.hours if hour.outcome in SUCCESSES and hour.at > situation.now - 2 * HOUR]
    outside = [hour for hour in good if _is_outside(situation, hour.at)]
    count = sum(hour.requests for hour in outside)
    if count < _FEWEST:
        return None
    return _finding(situation, outside, count)


def _is_outside(situation: Situation, at: int) -> bool:
    days_at, week = situation.baseline.days_at, hour_of_week(at)
    if any(days_at[(week + step) % HOURS_OF_WEEK] for step in (0, 1, -1)):
        return False  # the usual case, decided without a calendar
    local = in_zone(at, situation.zone)
    if situation.expects(Kind.OUTSIDE_BUSINESS_HOURS, _cell(local)):
        return False
    hours = situation.business_hours
    if hours is not None and _is_open(hours, local):
        return False
    workdays = hours.days if hours is not None else _WORKDAYS
    working, resting = _profile(days_at, local, workdays)
    seen = working if DAYS[local.weekday()] in workdays else resting
    if any(seen[(local.hour + step) % 24] for step in (-1, 0, 1)):
        return False
    total = sum(working) + sum(resting)
    if hours is not None:
        closed = sum(resting) + sum(days for hour, days in enumerate(working) if not _is_hour_open(hours, hour))
        return closed <= _MOST_OUTSIDE * total
    return unseen(_once(working) + _once(resting), total) < REGULAR


def _profile(days_at: tuple[int, ...], local: datetime, workdays: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """On how many days the key was used in each hour of the day: on working days, and on other days."""
    offset = local.utcoffset()
    shift = int(offset.total_seconds() // 3600) if offset is not None else 0
    working, resting = [0] * 24, [0] * 24
    for index, days in enumerate(days_at):
        if days:
            day, hour = divmod((index + shift) % HOURS_OF_WEEK, 24)
            (working if DAYS[day] in workdays else resting)[hour] += days
    return working, resting


def _once(profile: list[int]) -> int:
    """Hours seen on one day only, whose neighbors were never seen: before that day they would have been a surprise."""
    return sum(days == 1 and not profile[hour - 1] and not profile[(hour + 1) % 24] for hour, days in enumerate(profile))


def _is_open(hours: BusinessHours, local: datetime) -> bool:
    return DAYS[local.weekday()] in hours.days and _is_hour_open(hours, local.hour)


def _is_hour_open(hours: BusinessHours, hour: int) -> bool:
    """Whether any of the hour lies in business hours, with tolerance."""
    opens, closes = (int(text[:2]) + int(text[3:]) / 60 for text in (hours.opens, hours.closes))
    return opens - _TOLERANCE_HOURS < hour + 1 and hour < closes + _TOLERANCE_HOURS


def _cell(local: datetime) -> str:
    return f"{DAYS[local.weekday()]} {local.hour:02}"


def _finding(situation: Situation, outside: list[Hour], count: int) -> Finding:
    parts = dict[str, int]()
    for hour in outside:
        parts[str(hour.at)] = parts.get(str(hour.at), 0) + hour.requests
    cells = sorted({_cell(in_zone(hour.at, situation.zone)) for hour in outside})
    local = in_zone(outside[0].at, situation.zone)
    hours = situation.business_hours
    working, resting = _profile(situation.baseline.days_at, local, hours.days if hours else _WORKDAYS)
    first = min(hour.at for hour in outside)
    seen = [visit.last_at for visit in situation.visits if visit.last_at >= first]
    return Finding(
        Kind.OUTSIDE_BUSINESS_HOURS,
        first,
        max(seen, default=min(situation.now, max(hour.at for hour in outside) + HOUR)),
        parts,
        tuple(cells),
        usual=0,
        now=count,
        unit="requests at this time",
        evidence={"times": cells, "zone": situation.zone, "permissions": sorted({h.permission for h in outside if h.permission})},
        baseline={
            "workdayHours": [hour for hour, days in enumerate(working) if days],
            "weekendHours": [hour for hour, days in enumerate(resting) if days],
            "businessHours": f"{hours.opens} to {hours.closes}" if hours else None,
        },
    )


RULE: Final = Rule(
    Kind.OUTSIDE_BUSINESS_HOURS,
    "Outside business hours",
    "It was used at a time when it is not used otherwise.",
    ON_USE,
    evaluate,
    "These hours of the week are then expected of this key.",
    may_suspend=True,
)
