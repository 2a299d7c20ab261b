"""The state of a rotation: a pure function, tested at every edge of its rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.access.actor import Actor, ActorKind
from app.clock import DAY, HOUR, SECOND
from app.errors import ValidationFailed
from app.keys.key import ApiKey, Reason, Revocation
from app.rotations import validation
from app.rotations.rotation import (
    LATEST_DEADLINE,
    LOOK_BACK,
    Ending,
    OnDeadline,
    Outcome,
    Progress,
    Rotation,
    State,
    evaluate_progress,
)
from app.rotations.validation import RotationOptions
from app.usage.caller import FOLDED, Caller

START = 1_800_000_000 * SECOND
NOW = START + 2 * HOUR
BY = Actor.user("usr_" + "a" * 20, "Ann").ref
OLD, NEW = "key_" + "a" * 20, "key_" + "b" * 20
HOME, AWAY = "203.0.113.0/24", "198.51.100.0/24"


def key(key_id: str, **changes: object) -> ApiKey:
    plain = ApiKey(
        "Key", "production", ("pdf.read",), id=key_id, workspace_id="wsp", prefix="fl_live_a1b2", created_at=START - 90 * DAY,
        created_by=BY, suspended_at=None, revocation=None, last_used_at=None, last_used_ip=None,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def caller(key_id: str, network: str = HOME, user_agent: str = "curl", last_seen_at: int = START) -> Caller:
    return Caller(f"cal_{network}_{user_agent}", key_id, network, user_agent, START - 90 * DAY, last_seen_at, 7, ())


def revoked(at: int) -> Revocation:
    return Revocation(at, BY, Reason.OTHER, None)


RUN = Rotation("rot", "wsp", OLD, NEW, START, BY, START + 7 * DAY, OnDeadline.KEEP_AND_ALERT, HOUR)
USED = key(OLD, last_used_at=START)
FRESH, TAKEN = key(NEW, created_at=START), key(NEW, created_at=START, last_used_at=START + SECOND)


def look(
    old: list[Caller] | None = None,
    new: list[Caller] | None = None,
    *,
    run: Rotation = RUN,
    predecessor: ApiKey = USED,
    successor: ApiKey = TAKEN,
    now: int = NOW,
    dismissed: frozenset[str] = frozenset(),
) -> Progress:
    return evaluate_progress(run, predecessor, successor, old or [], new or [], now, dismissed)


def test_until_the_successor_is_used_a_rotation_is_issued() -> None:
    assert look(successor=FRESH).state is State.ISSUED
    assert look([caller(OLD)], successor=FRESH, now=NOW + 30 * DAY).state is State.ISSUED
    assert look(successor=FRESH).ready_at is None


def test_used_with_no_caller_moved_is_in_use() -> None:
    found = look([caller(OLD)], [])
    assert (found.state, found.ready_at) == (State.IN_USE, None)
    assert [moving.is_left for moving in found.callers] == [True]


def test_three_callers_two_moved_is_draining_and_the_third_makes_it_ready() -> None:
    old = [caller(OLD, HOME, family) for family in ("curl", "node", "java")]
    new = [caller(NEW, HOME, family) for family in ("curl", "node")]
    found = look(old, new)
    assert found.state is State.DRAINING
    assert [moving.caller.user_agent for moving in found.left] == ["java"]
    assert look(old, [*new, caller(NEW, HOME, "java")]).state is State.READY


@pytest.mark.parametrize(("offset", "state"), [(-1, State.DRAINING), (0, State.READY), (1, State.READY)])
def test_ready_from_the_exact_microsecond_in_which_the_quiet_period_ends(offset: int, state: State) -> None:
    found = look([caller(OLD)], [caller(NEW)], now=START + HOUR + offset)
    assert (found.state, found.ready_at, found.quiet_since) == (state, START + HOUR, START)


def test_without_a_quiet_period_there_is_no_wait() -> None:
    assert look([caller(OLD)], [caller(NEW)], run=replace(RUN, quiet_period=0), now=START + SECOND).state is State.READY


def test_a_predecessor_that_was_never_used_is_quiet_since_its_creation() -> None:
    young = key(OLD, created_at=NOW - HOUR + 1)
    assert (look(predecessor=young).state, look(predecessor=young).ready_at) == (State.IN_USE, NOW + 1)
    assert look(predecessor=young, now=NOW + 1).state is State.READY


def test_an_open_state_goes_back_when_the_predecessor_is_used_again() -> None:
    old, new = [caller(OLD)], [caller(NEW)]
    assert look(old, new).state is State.READY
    assert look(old, new, predecessor=key(OLD, last_used_at=NOW)).state is State.DRAINING
    assert look([*old, caller(OLD, AWAY, "node", NOW)], new, predecessor=key(OLD, last_used_at=NOW)).state is State.DRAINING


@pytest.mark.parametrize(("offset", "counts"), [(-1, False), (0, True), (1, True)])
def test_callers_of_the_last_14_days_before_the_start_count(offset: int, counts: bool) -> None:
    found = look([caller(OLD, last_seen_at=START - LOOK_BACK + offset)])
    assert bool(found.callers) is counts
    assert found.state is (State.IN_USE if counts else State.READY)


@pytest.mark.parametrize(("offset", "moved"), [(-1, False), (0, True), (1, True)])
def test_a_family_seen_elsewhere_counts_once_its_old_network_is_silent(offset: int, moved: bool) -> None:
    seen = START + HOUR
    found = look(
        [caller(OLD, HOME, last_seen_at=seen)],
        [caller(NEW, AWAY, last_seen_at=NOW)],
        predecessor=key(OLD, last_used_at=seen),
        now=seen + HOUR + offset,
    )
    assert found.callers[0].moved is moved
    assert found.callers[0].on_successor_at == NOW
    assert found.ready_at == seen + HOUR
    assert found.state is (State.READY if moved else State.IN_USE)


def test_the_same_network_counts_immediately_and_another_family_never() -> None:
    busy = key(OLD, last_used_at=NOW)
    assert look([caller(OLD, last_seen_at=NOW)], [caller(NEW)], predecessor=busy).callers[0].moved
    assert not look([caller(OLD)], [caller(NEW, HOME, "node")], now=NOW + 9 * DAY).callers[0].moved


@pytest.mark.parametrize(("network", "family"), [("", "curl"), (HOME, ""), ("", ""), (FOLDED, FOLDED)])
def test_an_unknown_caller_never_counts_as_moved_and_moves_no_other(network: str, family: str) -> None:
    unknown = look([caller(OLD, network, family)], [caller(NEW, network, family), caller(NEW)], now=NOW + 9 * DAY)
    assert (unknown.callers[0].moved, unknown.callers[0].on_successor_at, unknown.state) == (False, None, State.IN_USE)
    proof = look([caller(OLD)], [caller(NEW, network, family)], now=NOW + 9 * DAY)
    assert not proof.callers[0].moved
    assert look([caller(OLD, network, family)], [], dismissed=frozenset({family})).state is State.READY


def test_dismissing_a_family_dismisses_it_everywhere_and_alone_drains_nothing() -> None:
    old = [caller(OLD, HOME), caller(OLD, AWAY), caller(OLD, AWAY, "node")]
    found = look(old, dismissed=frozenset({"curl"}))
    assert [(moving.dismissed, moving.is_left) for moving in found.callers] == [(True, False), (True, False), (False, True)]
    assert found.state is State.IN_USE
    assert look(old, dismissed=frozenset({"curl", "node"})).state is State.READY


def test_a_rotation_with_a_suspended_successor_is_not_ready() -> None:
    found = look([caller(OLD)], [caller(NEW)], successor=replace(TAKEN, suspended_at=NOW - 1))
    assert (found.state, found.ready_at) == (State.DRAINING, None)


@pytest.mark.parametrize(("offset", "passed"), [(-1, False), (0, True), (1, True)])
def test_the_deadline_passes_in_its_exact_microsecond_and_leaves_the_rotation_open(offset: int, passed: bool) -> None:
    found = look(now=RUN.deadline + offset)
    assert (found.deadline_passed, found.is_open) == (passed, True)
    assert not RUN.is_due(RUN.deadline + offset)
    assert replace(RUN, on_deadline=OnDeadline.REVOKE).is_due(RUN.deadline + offset) is passed


@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("revoking", [True, False])
def test_a_rotation_ends_with_either_key_in_the_exact_microsecond(offset: int, revoking: bool) -> None:
    over: dict[str, object] = {"revocation": revoked(NOW)} if revoking else {"expires_at": NOW}
    ended = revoking or offset >= 0
    completed = look(predecessor=replace(USED, **over), now=NOW + offset)  # type: ignore[arg-type]
    cancelled = look(successor=replace(TAKEN, **over), now=NOW + offset)  # type: ignore[arg-type]
    assert (completed.state is State.COMPLETED, cancelled.state is State.CANCELLED) == (ended, ended)
    if ended:
        assert completed.rotation.ending == Ending(NOW, Actor.system().ref, Outcome.COMPLETED)
        assert completed.ready_at is None


@pytest.mark.parametrize(
    ("old_over", "new_over", "state"),
    [(NOW - 1, NOW, State.COMPLETED), (NOW, NOW - 1, State.CANCELLED), (NOW, NOW, State.CANCELLED)],
)
def test_of_two_ended_keys_the_first_to_end_decides(old_over: int, new_over: int, state: State) -> None:
    found = look(predecessor=replace(USED, expires_at=old_over), successor=replace(TAKEN, revocation=revoked(new_over)))
    assert found.state is state
    assert found.rotation.ending is not None and found.rotation.ending.at == min(old_over, new_over)


def test_a_key_that_was_revoked_after_it_had_expired_ended_when_it_expired() -> None:
    found = look(predecessor=replace(USED, expires_at=NOW - HOUR, revocation=revoked(NOW)))
    assert found.rotation.ending is not None and found.rotation.ending.at == NOW - HOUR


def test_a_stored_end_stays_whatever_happens_to_the_keys() -> None:
    ended = replace(RUN, ending=Ending(NOW - 1, BY, Outcome.CANCELLED))
    found = look(run=ended, predecessor=replace(USED, revocation=revoked(NOW)), successor=TAKEN)
    assert (found.state, found.rotation) == (State.CANCELLED, ended)
    assert found.rotation.ending is not None and found.rotation.ending.by.kind is ActorKind.USER


def codes(error: ValidationFailed) -> list[tuple[str, str]]:
    return [(field.field, field.code) for field in error.fields]


def test_the_default_options_are_7_days_and_an_hour() -> None:
    assert validation.checked_deadline(RotationOptions(), NOW) == NOW + 7 * DAY
    assert RotationOptions().quiet_period == HOUR
    assert validation.checked_deadline(RotationOptions(NOW + 1, quiet_seconds=0), NOW) == NOW + 1
    assert (
        validation.checked_deadline(RotationOptions(NOW + LATEST_DEADLINE, quiet_seconds=7 * 24 * 3600), NOW)
        == NOW + LATEST_DEADLINE
    )


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (RotationOptions(NOW), [("deadline", "IN_THE_PAST")]),
        (RotationOptions(NOW - 1), [("deadline", "IN_THE_PAST")]),
        (RotationOptions(NOW + LATEST_DEADLINE + 1), [("deadline", "TOO_LATE")]),
        (RotationOptions(quiet_seconds=-1), [("quietPeriodSeconds", "OUT_OF_RANGE")]),
        (
            RotationOptions(0, quiet_seconds=7 * 24 * 3600 + 1),
            [("deadline", "IN_THE_PAST"), ("quietPeriodSeconds", "OUT_OF_RANGE")],
        ),
    ],
)
def test_invalid_options_are_refused_with_every_fault(terms: RotationOptions, expected: list[tuple[str, str]]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        validation.checked_deadline(terms, NOW)
    assert codes(refused.value) == expected


@pytest.mark.parametrize(
    ("deadline", "code"),
    [
        (NOW, "IN_THE_PAST"),
        (RUN.deadline - 1, "TOO_EARLY"),
        (RUN.deadline, None),
        (START + LATEST_DEADLINE, None),
        (START + LATEST_DEADLINE + 1, "TOO_LATE"),
    ],
)
def test_a_rotation_is_extended_to_at_most_30_days_after_its_start(deadline: int, code: str | None) -> None:
    if code is None:
        validation.check_extension(RUN, deadline, NOW)
        return
    with pytest.raises(ValidationFailed) as refused:
        validation.check_extension(RUN, deadline, NOW)
    assert codes(refused.value) == [("deadline", code)]
