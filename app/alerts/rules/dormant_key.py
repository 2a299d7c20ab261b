"""DORMANT_KEY: a key is used again after 30 days without any use, longer than any pause of it before."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.rule import ON_USE, Rule
from app.alerts.situation import Finding, Situation, named
from app.clock import DAY, rfc3339
from app.usage.usage import SUCCESSES

ASLEEP: Final = 30 * DAY
# A key that pauses for a month each month may do so for a quarter longer.
_LONGER: Final = 1.25


def evaluate(situation: Situation) -> Finding | None:
    good = [hour for hour in situation.hours if hour.outcome in SUCCESSES]
    if not good:
        return None
    # A baseline from before the pause cannot know that it ended.
    asleep_since = max(situation.baseline.last_at or 0, situation.key.created_at)
    awake_at = min(hour.at for hour in good)
    pause = awake_at - asleep_since
    if pause < ASLEEP or pause <= situation.baseline.longest_gap_days * DAY * _LONGER:
        return None
    days = pause // DAY
    if any(value.isdecimal() and int(value) * _LONGER >= days for value in situation.expected.get(Kind.DORMANT_KEY, ())):
        return None
    seen = [visit for visit in situation.visits if visit.last_at >= awake_at]
    return Finding(
        Kind.DORMANT_KEY,
        max(awake_at, min((visit.first_at for visit in seen), default=awake_at)),
        max((visit.last_at for visit in seen), default=situation.now),
        {str(hour.at): sum(each.requests for each in good if each.at == hour.at) for hour in good},
        (str(days),),
        usual=situation.baseline.longest_gap_days,
        now=days,
        unit="days without use",
        evidence={
            "networks": named({visit.network for visit in seen}),
            "userAgents": sorted({visit.user_agent for visit in seen if visit.user_agent})[:20],
            "daysWithoutUse": days,
        },
        baseline={
            "lastUsedAt": rfc3339(situation.baseline.last_at) if situation.baseline.last_at else None,
            "longestPauseDays": situation.baseline.longest_gap_days,
        },
    )


RULE: Final = Rule(
    Kind.DORMANT_KEY,
    "Dormant key awake",
    "It is used again after a long time without any use.",
    ON_USE,
    evaluate,
    "A pause as long as this is then expected of this key.",
    may_suspend=True,
)
