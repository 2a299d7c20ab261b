"""UNEXPECTED_NETWORK: a key is used from a network that it was not used from before.

A key with a fixed set of networks (at most one new one in 28 days) raises an alert for each new one. A key whose networks change
by nature, such as that of a mobile application, raises one only when more new networks appear within a day than its own rate
of new ones makes plausible: the upper tail of the Gamma-Poisson (negative binomial) prediction, below 1 in 1,000,000.
"""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.baseline import SETTLED, SPAN, neighborhood
from app.alerts.rules.rule import ON_USE, Rule
from app.alerts.situation import Finding, Situation, named
from app.alerts.statistics import at_least
from app.clock import DAY
from app.usage.caller import FOLDED

IMPLAUSIBLE: Final = 1e-6
_MOST_ARRIVALS_IF_FIXED: Final = 1


def evaluate(situation: Situation) -> Finding | None:
    baseline = situation.baseline
    if not situation.visits or baseline.is_learning(situation.now) or not baseline.networks:
        return None
    if not baseline.active_days:
        return None  # only attempts so far: what came from where is not known yet
    new = _new_networks(situation)
    if not new or not _is_implausible(situation, len(new)):
        return None
    visits = [visit for visit in situation.visits if visit.network in new]
    parts = dict[str, int]()
    for visit in visits:
        parts[visit.network] = parts.get(visit.network, 0) + max(1, visit.requests)
    return Finding(
        Kind.UNEXPECTED_NETWORK,
        min(visit.first_at for visit in visits),
        max(visit.last_at for visit in visits),
        parts,
        tuple(sorted(new)),
        usual=round(baseline.arrivals / _days(situation), 2),
        now=len(new),
        unit="new networks a day",
        evidence={
            "networks": named(new),
            "userAgents": sorted({visit.user_agent for visit in visits if visit.user_agent})[:20],
            "permissions": sorted({visit.permission for visit in visits if visit.permission}),
        },
        baseline={"networks": named({*baseline.networks}), "networkCount": len(baseline.networks)},
    )


def _new_networks(situation: Situation) -> set[str]:
    baseline = situation.baseline
    unknown = {
        visit.network
        for visit in situation.visits
        if visit.network not in baseline.networks
        and visit.network not in ("", FOLDED)
        and visit.network not in situation.familiar
        and not situation.expects(Kind.UNEXPECTED_NETWORK, visit.network)
    }
    if not unknown:
        return unknown
    # Addresses of one provider's region lie together: the next machine of a deployment is no surprise.
    near = {neighborhood(network) for network in baseline.networks}
    return {network for network in unknown if neighborhood(network) not in near}


def _is_implausible(situation: Situation, count: int) -> bool:
    arrivals = situation.baseline.arrivals
    if arrivals <= _MOST_ARRIVALS_IF_FIXED:
        return True
    # Half an arrival more than were seen, in the time that was watched: the predictive distribution of tomorrow's count.
    seen = arrivals + 0.5
    return at_least(count, seen / _days(situation), seen) < IMPLAUSIBLE


def _days(situation: Situation) -> float:
    """The time in which arrivals were counted."""
    return max(1.0, (min(situation.baseline.age(situation.baseline.until) - SETTLED, SPAN)) / DAY)


RULE: Final = Rule(
    Kind.UNEXPECTED_NETWORK,
    "Unexpected network",
    "It was used from a network that it was not used from before.",
    ON_USE,
    evaluate,
    "These networks are then expected for every key of the workspace.",
    may_suspend=True,
)
