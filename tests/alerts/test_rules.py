"""What each rule says of a situation, and that it is silent about what is usual. No database, and the clock is an argument."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from app.alerts import rules
from app.alerts.alert import OF_USE, Kind
from app.alerts.baseline import Baseline, History, Hour, Unlearned, Visit, hour_of_week, learn
from app.alerts.situation import ALWAYS, SLOT, KeyFacts, Refusal, Situation
from app.alerts.statistics import POISSON, at_least, size_of, unseen
from app.clock import DAY, HOUR, MINUTE, SECOND, hour_of, parse_rfc3339
from app.tenancy.workspace import DAYS, BusinessHours

# A Wednesday.
NOW = parse_rfc3339("2026-03-25T10:30:00Z")
HOME = "198.51.100.0/24"
STRANGE = "203.0.113.0/24"


def office_history(*, weeks: int = 4, opens: int = 8, closes: int = 18, until: int = NOW) -> History:
    """A key that is used on working days from eight to six, from one network, since `weeks` ago."""
    since = until - weeks * 7 * DAY
    hours = [
        Hour(at, "pdf.read", outcome, requests)
        for at in range(hour_of(since), hour_of(until), HOUR)
        for outcome, requests in (("VALID", 50), ("FAILED", at // HOUR % 3))
        if hour_of_week(at) // 24 < 5 and opens <= hour_of_week(at) % 24 < closes and requests
    ]
    days = sorted({hour.at - hour.at % DAY for hour in hours})
    visit = Visit(HOME, "okhttp", "pdf.read", hours[0].at, hours[-1].at, 10_000)
    return History(hours[0].at, hours, days, [visit], {"pdf.read"}, set())


BASELINE = learn(office_history(), NOW)
KEY = KeyFacts("key_a", "wsp_a", NOW - 60 * DAY, None, None, ("pdf.read", "pdf.delete"))
USUAL = Situation(
    NOW,
    KEY,
    BASELINE,
    "UTC",
    hours=(Hour(hour_of(NOW), "pdf.read", "VALID", 30),),
    visits=(Visit(HOME, "okhttp", "pdf.read", BASELINE.first_at or 0, NOW, 10_030),),
)


def situation(**changes: Any) -> Situation:
    return replace(USUAL, **changes)


def visit(network: str = STRANGE, **other: Any) -> Visit:
    usual = {"user_agent": "curl", "permission": "pdf.read", "first_at": NOW - MINUTE, "last_at": NOW - SECOND, "requests": 3}
    return Visit(network, **{**usual, **other})


def refused(
    requests: int = 1, outcome: str = "FAILED", network: str = HOME, *, at: int = NOW - MINUTE, permission: str = "pdf.read"
) -> Refusal:
    return Refusal(at - at % SLOT, permission, outcome, network, requests, at, at)


def kinds(given: Situation) -> set[Kind]:
    return {finding.kind for finding in rules.evaluate(given)}


def test_usual_use_is_no_finding() -> None:
    assert rules.evaluate(USUAL) == []


def test_every_kind_has_one_rule_and_every_rule_about_use_can_be_evaluated() -> None:
    assert set(rules.RULES) == set(Kind)
    assert {rule.kind for rule in rules.OF_USE} == set(OF_USE)


def test_a_new_network_is_unexpected_and_its_evidence_names_it() -> None:
    (found,) = rules.evaluate(situation(visits=(*USUAL.visits, visit())))
    assert found.kind is Kind.UNEXPECTED_NETWORK
    assert found.evidence["networks"] == [STRANGE] and found.evidence["userAgents"] == ["curl"]
    assert found.baseline["networks"] == [HOME]
    assert (found.first_at, found.last_at, found.parts) == (NOW - MINUTE, NOW - SECOND, {STRANGE: 3})


@pytest.mark.parametrize(
    "changes",
    [
        {"familiar": frozenset({STRANGE})},
        {"expected": {Kind.UNEXPECTED_NETWORK: frozenset({STRANGE})}},
        {"expected": {Kind.UNEXPECTED_NETWORK: frozenset({ALWAYS})}},
    ],
    ids=["other keys use it", "expected", "always expected"],
)
def test_a_network_that_somebody_vouches_for_is_not_unexpected(changes: dict[str, Any]) -> None:
    assert kinds(situation(visits=(visit(),), **changes)) == set()


def test_the_next_machine_of_one_region_is_not_unexpected() -> None:
    assert kinds(situation(visits=(visit("198.51.7.0/24"),))) == set()


def test_a_key_whose_networks_change_raises_only_an_implausible_number_of_them() -> None:
    visits = [Visit(f"{20 + n}.{n}.0.0/24", "okhttp", "", NOW - (n % 27) * DAY - 2 * HOUR, NOW, 1) for n in range(90)]
    moving = learn(replace(office_history(), visits=visits), NOW)
    assert moving.arrivals > 70
    some = tuple(visit(f"150.{n}.0.0/24") for n in range(60))
    assert kinds(situation(baseline=moving, visits=some[:8])) == set()
    assert kinds(situation(baseline=moving, visits=some)) == {Kind.UNEXPECTED_NETWORK}


def test_failures_far_above_the_past_are_a_spike_with_the_usual_number_beside_it() -> None:
    (found,) = rules.evaluate(situation(refusals=(refused(200),)))
    assert found.kind is Kind.FAILURE_SPIKE and found.now == 200 and found.usual < 2
    assert found.evidence["outcomes"] == {"FAILED": 200}


def test_a_few_failures_more_are_no_spike() -> None:
    assert kinds(situation(refusals=(refused(12),))) == set()


def test_a_key_that_often_fails_raises_only_what_its_own_past_does_not_explain() -> None:
    bursts = msgspec.structs.replace(BASELINE, failures=4_000, failure_squares=2_500_000, worst_hour=700)
    assert kinds(situation(baseline=bursts, refusals=(refused(400),))) == set()
    assert kinds(situation(baseline=bursts, refusals=(refused(9_000),))) == {Kind.FAILURE_SPIKE}


def test_failures_that_grow_with_the_traffic_are_no_spike() -> None:
    spread = tuple(refused(30, at=NOW - minutes * MINUTE) for minutes in range(1, 60, 5))
    assert kinds(situation(refusals=spread)) == {Kind.FAILURE_SPIKE}
    busy = situation(refusals=spread, hours=(Hour(hour_of(NOW), "pdf.read", "VALID", 30_000),))
    assert kinds(busy) == set()


def test_an_attack_on_a_key_two_seconds_old_is_a_spike() -> None:
    """120 refused requests from 120 networks in two seconds."""
    new = replace(KEY, created_at=NOW - 2 * SECOND)
    attack = tuple(
        refused(1, "PERMISSION_DENIED", f"{20 + n}.9.9.0/24", at=NOW - SECOND, permission="pdf.generate") for n in range(120)
    )
    (found,) = rules.evaluate(Situation(NOW, new, Baseline(0), "UTC", refusals=attack))
    assert found.kind is Kind.FAILURE_SPIKE and found.evidence["networkCount"] == 120


def test_setting_up_a_new_key_from_one_place_is_no_spike() -> None:
    new = replace(KEY, created_at=NOW - HOUR)
    assert kinds(Situation(NOW, new, Baseline(0), "UTC", refusals=(refused(60, "PERMISSION_DENIED"),))) == set()


def at_night(**changes: Any) -> Situation:
    night = parse_rfc3339("2026-03-25T02:30:00Z")
    hours = (Hour(hour_of(night), "pdf.read", "VALID", 5),)
    baseline = learn(office_history(until=night), night)
    return situation(now=night, baseline=baseline, hours=hours, visits=(), **changes)


def test_use_at_night_of_a_key_that_keeps_office_hours_is_outside_them() -> None:
    (found,) = rules.evaluate(at_night())
    assert found.kind is Kind.OUTSIDE_BUSINESS_HOURS and found.evidence["times"] == ["WEDNESDAY 02"]
    assert found.baseline["workdayHours"] == [*range(8, 18)] and found.baseline["weekendHours"] == []


@pytest.mark.parametrize("values", [{"WEDNESDAY 02"}, {ALWAYS}])
def test_a_key_that_may_be_used_then_is_not_outside_its_hours(values: set[str]) -> None:
    assert kinds(at_night(expected={Kind.OUTSIDE_BUSINESS_HOURS: frozenset(values)})) == set()


def test_the_time_zone_decides_what_night_is() -> None:
    """Half past two in UTC is half past ten in Singapore, where the office is open."""
    hours = BusinessHours(DAYS[:5], "09:00", "18:00")
    assert kinds(at_night(zone="Asia/Singapore", business_hours=hours)) == set()
    assert kinds(at_night(zone="UTC", business_hours=hours)) == {Kind.OUTSIDE_BUSINESS_HOURS}


def test_a_key_that_works_round_the_clock_has_no_hours_to_be_outside_of() -> None:
    history = office_history(opens=0, closes=24)
    sunday = parse_rfc3339("2026-03-29T03:30:00Z")
    always = learn(
        replace(history, hours=[Hour(at, "pdf.read", "VALID", 5) for at in range(sunday - 28 * DAY, sunday - HOUR, 7 * HOUR)]),
        sunday,
    )
    given = situation(now=sunday, baseline=always, hours=(Hour(hour_of(sunday), "pdf.read", "VALID", 9),), visits=())
    assert kinds(given) == set()


def test_a_held_permission_that_was_never_used_is_an_anomaly_when_it_is() -> None:
    hours = (*USUAL.hours, Hour(hour_of(NOW), "pdf.delete", "VALID", 1))
    (found,) = rules.evaluate(situation(hours=hours, visits=(*USUAL.visits, visit(HOME, permission="pdf.delete"))))
    assert (
        found.kind is Kind.UNUSED_PERMISSION and found.evidence["permissions"] == ["pdf.delete"] and found.evidence["notHeld"] == []
    )
    assert kinds(situation(hours=hours, expected={Kind.UNUSED_PERMISSION: frozenset({"pdf.delete"})})) == set()


def test_a_permission_that_the_key_does_not_hold_is_an_anomaly_when_it_is_wanted() -> None:
    (found,) = rules.evaluate(situation(refusals=(refused(1, "PERMISSION_DENIED", permission="template.write"),)))
    assert found.kind is Kind.UNUSED_PERMISSION and found.evidence["notHeld"] == ["template.write"]


def test_use_a_minute_after_revocation_is_an_anomaly_and_what_was_on_its_way_is_not() -> None:
    ended = replace(KEY, revoked_at=NOW - 10 * MINUTE)
    soon, late = (refused(2, "REVOKED", STRANGE, at=NOW - minutes * MINUTE) for minutes in (9.5, 5))  # type: ignore[arg-type]
    soon = soon._replace(last_at=NOW - 10 * MINUTE + 30 * SECOND, first_at=NOW - 10 * MINUTE)
    assert kinds(situation(key=ended, hours=(), refusals=(soon,))) == set()
    (found,) = rules.evaluate(
        situation(key=ended, hours=(), refusals=(soon, late._replace(first_at=NOW - 5 * MINUTE, last_at=NOW - 5 * MINUTE)))
    )
    assert found.kind is Kind.USE_AFTER_REVOCATION and found.evidence["networks"] == [STRANGE] and found.now == 2


def test_use_after_expiry_is_an_anomaly() -> None:
    ended = replace(KEY, expires_at=NOW - HOUR)
    assert kinds(situation(key=ended, hours=(), refusals=(refused(1, "EXPIRED"),))) == {Kind.USE_AFTER_EXPIRY}
    expected = {Kind.USE_AFTER_EXPIRY: frozenset({HOME})}
    assert kinds(situation(key=ended, hours=(), refusals=(refused(1, "EXPIRED"),), expected=expected)) == set()


def test_a_key_that_wakes_after_thirty_days_is_an_anomaly_unless_it_pauses_so_long_by_nature() -> None:
    asleep = learn(office_history(until=NOW - 31 * DAY), NOW)
    assert asleep.last_at is not None and NOW - asleep.last_at > 30 * DAY
    assert Kind.DORMANT_KEY in kinds(situation(baseline=asleep))
    assert Kind.DORMANT_KEY not in kinds(situation(baseline=learn(office_history(until=NOW - 29 * DAY), NOW)))
    monthly = learn(
        replace(office_history(until=NOW - 31 * DAY), days=[NOW - NOW % DAY - days * DAY for days in (93, 62, 31)]), NOW
    )
    assert monthly.longest_gap_days == 31
    assert Kind.DORMANT_KEY not in kinds(situation(baseline=monthly))


def test_a_learning_key_is_left_alone() -> None:
    young_baseline = Baseline(NOW, first_at=NOW - 2 * DAY, last_at=NOW, networks=BASELINE.networks, permissions=("pdf.read",))
    strange = situation(
        baseline=young_baseline, visits=(visit(),), refusals=(refused(1, "PERMISSION_DENIED", permission="template.write"),)
    )
    assert kinds(strange) == set()


def test_what_an_open_alert_has_found_is_not_learned() -> None:
    seen = [Visit(STRANGE, "curl", "", NOW - 3 * DAY, NOW, 9), Visit(HOME, "okhttp", "", NOW - 9 * DAY, NOW, 9)]
    night = NOW - NOW % DAY - DAY + 2 * HOUR
    history = replace(office_history(), visits=seen, hours=[Hour(night, "", "VALID", 5), Hour(night, "", "FAILED", 500)])
    unlearned = Unlearned(frozenset({STRANGE}), ((night, night + MINUTE),), ((night, night + MINUTE),))
    assert learn(history, NOW).networks == {HOME, STRANGE} and learn(history, NOW).worst_hour == 500
    kept = learn(history, NOW, unlearned)
    assert kept.networks == {HOME} and kept.worst_hour == 0 and sum(kept.days_at) == 0


def test_the_last_hour_is_judged_before_it_is_learned() -> None:
    history = replace(office_history(), visits=[Visit(STRANGE, "curl", "", NOW - 30 * MINUTE, NOW, 1)])
    assert learn(history, NOW).networks == frozenset()
    assert learn(history, NOW + HOUR).networks == {STRANGE}


@pytest.mark.parametrize(("count", "mean", "tail"), [(2, 1.0, 0.264241), (10, 3.0, 0.00110249), (0, 5.0, 1.0), (3, 4.0, 1.0)])
def test_the_upper_tail_with_a_large_size_is_that_of_poisson(count: int, mean: float, tail: float) -> None:
    assert at_least(count, mean, 1e7) == pytest.approx(tail, rel=1e-4)


def test_a_bursty_past_makes_the_same_count_more_plausible() -> None:
    assert at_least(30, 3.0, POISSON) < 1e-15 < at_least(30, 3.0, 0.5) < 0.01
    assert size_of(3.0, 3.0) == POISSON and size_of(3.0, 21.0) == 0.5


def test_kinds_seen_only_once_predict_unseen_ones() -> None:
    assert unseen(0, 200) < 0.005 < unseen(1, 200)
    assert unseen(0, 10) > 0.005, "a short history promises nothing"
