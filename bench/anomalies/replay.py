"""Replays what happens to a key through the same pure functions that the server calls, as often as the server does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from app.alerts import incident, rules
from app.alerts.alert import Kind, Resolution
from app.alerts.baseline import DENIED, FAILURES, SPAN, Baseline, History, Hour, Unlearned, Visit, learn
from app.alerts.evaluation import EVERY
from app.alerts.incident import Incident
from app.alerts.learning import BASELINE_AGE, YOUNG_BASELINE_AGE
from app.alerts.situation import LOOK_BACK, SLOT, Finding, KeyFacts, Refusal, Situation
from app.clock import DAY, HOUR, SECOND, hour_of
from app.usage.usage import SUCCESSES, USES
from bench.anomalies.world import Event, SimulatedKey

# A fold takes half a second, and the job looks every two seconds.
DELAY: Final = 2_500_000
ATTENDED: Final = 4 * HOUR


@dataclass
class Raised:
    """An alert, and whether an incident explains it."""

    kind: Kind
    at: int
    true: bool


@dataclass
class Replay:
    """One key through its events."""

    key: SimulatedKey
    baselines: dict[int, Baseline]
    raised: list[Raised] = field(default_factory=list)
    evaluated_at: int = -EVERY
    evaluations: int = 0
    situation: Situation | None = None

    def __post_init__(self) -> None:
        key = self.key
        self.facts = KeyFacts(f"key_{key.number}", "", key.created_at, key.expires_at, key.revoked_at, key.held)
        self.hours: Counter[tuple[int, str, str]] = Counter()
        self.callers: dict[tuple[str, str, str], list[int]] = {}
        self.refusals: list[Refusal] = []
        self.used: set[str] = set()
        self.denied: set[str] = set()
        self.days: dict[int, None] = {}
        self.first_at: int | None = None
        self.baseline = Baseline(0)
        self.alerts: dict[Kind, list[Incident]] = {}
        self.open_until: dict[Kind, int] = {}
        self.expected: dict[Kind, set[str]] = {}

    def run(self) -> None:
        due = 0
        for event in self.key.events:
            if due and event.at > due:
                self.evaluate(due)
                due = 0
            matters = self.matters(event)
            self.apply(event)
            if matters and not due:
                due = max(event.at + DELAY, self.evaluated_at + EVERY)
        if due:
            self.evaluate(due)

    def matters(self, event: Event) -> bool:
        """Whether a rule could find something that it could not find before this event."""
        return (
            event.outcome not in SUCCESSES
            or event.network not in self.baseline.networks
            or event.permission not in self.baseline.permissions
            or (hour_of(event.at), event.permission, event.outcome) not in self.hours
            or (self.evaluated_at > 0 and event.requests == 1)
        )

    def apply(self, event: Event) -> None:
        hour = hour_of(event.at)
        self.hours[hour, event.permission, event.outcome] += event.requests
        self.first_at = event.at if self.first_at is None else self.first_at
        self.days[event.at - event.at % DAY] = None
        if event.outcome in SUCCESSES:
            self.used.add(event.permission)
        else:
            if event.outcome == DENIED:
                self.denied.add(event.permission)
            self.refusals.append(
                Refusal(
                    event.at - event.at % SLOT, event.permission, event.outcome, event.network, event.requests, event.at, event.at
                )
            )
        if event.outcome in USES:
            seen = self.callers.setdefault((event.network, event.user_agent, event.permission), [event.at, event.at, 0])
            seen[1:] = event.at, seen[2] + event.requests

    def evaluate(self, now: int) -> None:
        for kind, until in [*self.open_until.items()]:
            if now >= until:
                self.attend(kind, until)
        self.refresh(now)
        self.refusals = [refusal for refusal in self.refusals if refusal.last_at > now - LOOK_BACK]
        current = (hour_of(now), hour_of(now) - HOUR)
        hours = tuple(Hour(*slot, self.hours[slot]) for slot in self.slots(current))
        visits = tuple(Visit(*who, *seen) for who, seen in self.callers.items() if seen[1] > now - LOOK_BACK)
        familiar = frozenset(place for place, since in self.key.place.familiar.items() if since <= now)
        situation = Situation(
            now, self.facts, self.baseline, self.key.place.zone, self.key.place.business_hours, hours, tuple(self.refusals),
            visits, familiar, Baseline(0), {kind: frozenset(values) for kind, values in self.expected.items()},
        )  # fmt: skip
        self.situation = situation
        self.evaluated_at, self.evaluations = now, self.evaluations + 1
        for finding in rules.evaluate(situation):
            self.found(finding, now)

    def slots(self, current: tuple[int, ...]) -> list[tuple[int, str, str]]:
        names = {*self.key.held, *self.used, *self.denied}
        outcomes = ("VALID", "FAILED", DENIED, "REVOKED", "EXPIRED")
        return [slot for at in current for name in names for outcome in outcomes if (slot := (at, name, outcome)) in self.hours]

    def found(self, finding: Finding, now: int) -> None:
        known = self.alerts.setdefault(finding.kind, [])
        latest = known[-1] if known else None
        if latest is not None and latest.resolved_at is None:
            known[-1] = incident.extended(latest, finding)
        elif incident.is_new(latest, finding):
            known.append(incident.begun(finding))
            self.raised.append(Raised(finding.kind, now, self.explains(finding.kind, now)))
            self.open_until[finding.kind] = now + ATTENDED

    def explains(self, kind: Kind, now: int) -> bool:
        """An incident may be seen by several rules: a thief comes at night."""
        return any(each.begins <= now <= each.ends + LOOK_BACK + HOUR for each in self.key.incidents)

    def attend(self, kind: Kind, at: int) -> None:
        """Someone looks at the alert: calls it expected if nothing is wrong, else deals with it."""
        del self.open_until[kind]
        true = [each for each in self.raised if each.kind is kind][-1].true
        latest = self.alerts[kind][-1]
        resolution = Resolution.HANDLED if true else Resolution.EXPECTED
        self.alerts[kind][-1] = replace(latest, resolved_at=at, resolution=resolution)
        if not true:
            self.expected.setdefault(kind, set()).update(latest.values)
            if kind is Kind.UNEXPECTED_NETWORK:
                self.key.place.familiar.update(dict.fromkeys(latest.values, at))

    def refresh(self, now: int) -> None:
        age = YOUNG_BASELINE_AGE if self.baseline.is_learning(now) else BASELINE_AGE
        if now - self.baseline.until < age:
            return
        for slot in [slot for slot in self.hours if slot[0] < now - SPAN - DAY]:
            del self.hours[slot]
        history = History(
            self.first_at,
            [Hour(*slot, count) for slot, count in self.hours.items()],
            [*self.days],
            [Visit(*who, *seen) for who, seen in self.callers.items()],
            self.names(now, SUCCESSES) | set(self.baseline.permissions),
            self.names(now, frozenset({DENIED})) | set(self.baseline.denied),
        )  # fmt: skip
        self.baseline = learn(history, now, self.unlearned())
        self.baselines[self.key.number] = self.baseline

    def names(self, now: int, outcomes: frozenset[str]) -> set[str]:
        return {name for (at, name, outcome) in self.hours if outcome in outcomes and at < hour_of(now - HOUR)}

    def unlearned(self) -> Unlearned:
        def kept(kind: Kind) -> list[Incident]:
            return [each for each in self.alerts.get(kind, ()) if each.resolution is not Resolution.EXPECTED]

        def spans(kind: Kind) -> tuple[tuple[int, int], ...]:
            return tuple((each.first_at, each.last_at) for each in kept(kind))

        networks = frozenset(value for each in kept(Kind.UNEXPECTED_NETWORK) for value in each.values)
        return Unlearned(networks, spans(Kind.FAILURE_SPIKE), spans(Kind.OUTSIDE_BUSINESS_HOURS))


__all__ = ["FAILURES", "SECOND", "Raised", "Replay"]
