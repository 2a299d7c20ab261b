"""FAILURE_SPIKE: a key fails more often than its own past explains.

The failures of an hour of a key vary more than a Poisson distribution does, because they come in bursts. So they are described by
a negative binomial distribution, whose mean and size are estimated from the failures of each active hour of the last 28 days,
and the rule speaks when the upper tail of what it sees is below 1 in 10,000,000: in an hour, or in ten minutes. With one test for
every five minutes, this is less than one false alarm of a key in 500 days, if the model holds. The mean follows the traffic: a
hundred times the requests may have a hundred times the failures. A young key is measured against the keys of its workspace.

A new key that is being set up fails too, mostly from one place. While a key is learning, refusals from many networks are
counted as well: ten networks that are refused within ten minutes are an attack, not a mistake.
"""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.baseline import FAILURES
from app.alerts.rules.rule import ON_USE, Rule
from app.alerts.situation import Finding, Refusal, Situation, named
from app.alerts.statistics import at_least, size_of
from app.clock import HOUR, MINUTE
from app.usage.usage import SUCCESSES

IMPLAUSIBLE: Final = 1e-7
SHORT: Final = 10 * MINUTE
_FEWEST: Final = 20
_FEWEST_IF_YOUNG: Final = 100
_CROWD: Final = 10
_TIMES_THE_WORST_HOUR: Final = 2.0
# Before anything is known: one failure in twelve active hours.
_PRIOR_FAILURES: Final = 1
_PRIOR_HOURS: Final = 12
_PRIOR_REQUESTS: Final = 100
_PRIOR_SIZE: Final = 0.5
# Failures of a short time are even more bursty than those of an hour.
_SHORT_SIZE: Final = 0.5


def evaluate(situation: Situation) -> Finding | None:
    hour = [refusal for refusal in situation.refusals if refusal.outcome in FAILURES and refusal.last_at > situation.now - HOUR]
    if not hour:
        return None
    young = situation.baseline.is_learning(situation.now)
    short = [refusal for refusal in hour if refusal.first_at > situation.now - SHORT]
    mean, size, worst = _usual(situation, young)
    for refusals, share, spread in ((short, SHORT / HOUR, size * _SHORT_SIZE), (hour, 1.0, size)):
        count = sum(refusal.requests for refusal in refusals)
        fewest = _FEWEST_IF_YOUNG if young else _FEWEST
        is_many = count >= fewest and count > _TIMES_THE_WORST_HOUR * worst
        if is_many and at_least(count, mean * share, spread) < IMPLAUSIBLE:
            return _finding(refusals, count, mean * share, "10 minutes" if refusals is short else "hour")
    if young and len({refusal.network for refusal in short}) >= _CROWD:
        return _finding(short, sum(refusal.requests for refusal in short), mean * SHORT / HOUR, "10 minutes")
    return None


def _usual(situation: Situation, young: bool) -> tuple[float, float, float]:
    """The mean and size of the failures of an hour, and the most of one hour."""
    known = situation.usual if young else situation.baseline
    hours = known.active_hours + _PRIOR_HOURS
    mean = (known.failures + _PRIOR_FAILURES) / hours
    variance = (known.failure_squares + _PRIOR_FAILURES) / hours - mean * mean
    size = size_of(mean, variance) if known.active_hours >= _PRIOR_HOURS else _PRIOR_SIZE
    share = (known.failures + _PRIOR_FAILURES) / (known.requests + _PRIOR_REQUESTS)
    return max(mean, share * _requests_an_hour(situation)), size, max(known.worst_hour, _expected(situation))


def _requests_an_hour(situation: Situation) -> float:
    good = sum(hour.requests for hour in situation.hours if hour.outcome in SUCCESSES)
    elapsed = HOUR + situation.now % HOUR
    return good * HOUR / elapsed


def _expected(situation: Situation) -> int:
    """The highest number of failures that was marked as expected."""
    return max((int(value) for value in situation.expected.get(Kind.FAILURE_SPIKE, ()) if value.isdecimal()), default=0)


def _finding(refusals: list[Refusal], count: int, usual: float, span: str) -> Finding:
    parts, outcomes = dict[str, int](), dict[str, int]()
    for refusal in refusals:
        parts[str(refusal.slot)] = parts.get(str(refusal.slot), 0) + refusal.requests
        outcomes[refusal.outcome] = outcomes.get(refusal.outcome, 0) + refusal.requests
    networks = {refusal.network for refusal in refusals}
    return Finding(
        Kind.FAILURE_SPIKE,
        min(refusal.first_at for refusal in refusals),
        max(refusal.last_at for refusal in refusals),
        parts,
        (str(count),),
        usual=round(usual, 2),
        now=count,
        unit=f"failures in {'an hour' if span == 'hour' else span}",
        evidence={
            "outcomes": outcomes,
            "networks": named(networks),
            "networkCount": len(networks),
            "permissions": sorted({refusal.permission for refusal in refusals if refusal.permission}),
        },
        baseline={"failures": round(usual, 2), "span": span},
    )


RULE: Final = Rule(
    Kind.FAILURE_SPIKE,
    "Failure spike",
    "Its requests fail more often than its past explains.",
    ON_USE,
    evaluate,
    "As many failures are then expected of this key.",
    may_suspend=True,
)
