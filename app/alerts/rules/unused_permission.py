"""UNUSED_PERMISSION: a request wants a permission that the key never used, or does not hold.

A thief tries what a key can do. A permission that is held speaks only when the key was used without it for two weeks and a
hundred times; one that is not held as soon as the key has finished learning, because every such request is refused.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from app.alerts.alert import Kind
from app.alerts.baseline import DENIED, Hour
from app.alerts.rules.rule import ON_USE, Rule
from app.alerts.situation import Finding, Refusal, Situation, named
from app.clock import DAY
from app.usage.usage import SUCCESSES

_LEARNING: Final = 14 * DAY
_FEWEST_REQUESTS: Final = 100


def evaluate(situation: Situation) -> Finding | None:
    baseline = situation.baseline
    if baseline.is_learning(situation.now):
        return None
    known = {*baseline.permissions, *situation.expected.get(Kind.UNUSED_PERMISSION, ())}
    refused = [
        refusal
        for refusal in situation.refusals
        if refusal.outcome == DENIED and refusal.permission not in known and refusal.permission not in baseline.denied
    ]
    knows_use = baseline.age(situation.now) >= _LEARNING and baseline.requests >= _FEWEST_REQUESTS
    first_used = [
        hour
        for hour in situation.hours
        if knows_use and hour.outcome in SUCCESSES and hour.permission and hour.permission not in known
    ]
    if not refused and not first_used:
        return None
    names = {refusal.permission for refusal in refused} | {hour.permission for hour in first_used}
    visits = [visit for visit in situation.visits if visit.permission in names]
    parts = _parts(refused, first_used)
    first = [*(visit.first_at for visit in visits), *(refusal.first_at for refusal in refused)]
    last = [*(visit.last_at for visit in visits), *(refusal.last_at for refusal in refused)]
    return Finding(
        Kind.UNUSED_PERMISSION,
        min(first, default=situation.now),
        max(last, default=situation.now),
        parts,
        tuple(sorted(names)),
        usual=0,
        now=sum(parts.values()),
        unit="requests with it",
        evidence={
            "permissions": sorted(names),
            "notHeld": sorted(names - {*situation.key.permissions}),
            "networks": named({visit.network for visit in visits} | {refusal.network for refusal in refused}),
            "userAgents": sorted({visit.user_agent for visit in visits if visit.user_agent})[:20],
        },
        baseline={"permissions": [*baseline.permissions], "requests": baseline.requests},
    )


def _parts(refused: list[Refusal], first_used: list[Hour]) -> Counter[str]:
    """The requests by the time and the permission under which they are counted."""
    parts = Counter[str]()
    for refusal in refused:
        parts[f"{refusal.slot} {refusal.permission}"] += refusal.requests
    for hour in first_used:
        parts[f"{hour.at} {hour.permission}"] += hour.requests
    return parts


RULE: Final = Rule(
    Kind.UNUSED_PERMISSION,
    "Unused permission",
    "It requested a permission that it never used before, or does not have.",
    ON_USE,
    evaluate,
    "This permission is then expected of this key.",
    may_suspend=True,
)
