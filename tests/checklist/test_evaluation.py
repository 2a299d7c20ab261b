"""The rules of the checklist: for each item what meets it, what breaks it, and the boundary between both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from app import catalogue
from app.access.actor import Actor, ActorKind, ActorRef
from app.catalogue import Catalogue
from app.checklist.evaluation import evaluate
from app.checklist.item import Attestation, Facts, ItemName, Remedy, Result, Visit
from app.clock import DAY
from app.keys.living import LeakedKey, LivingKey
from app.paths import DEFAULT_CATALOGUE
from app.rotations.rotation import OnDeadline, Rotation

NOW: Final = 1_793_000_000_000_000
KNOWN: Final = catalogue.load(DEFAULT_CATALOGUE)
ADA: Final = ActorRef(ActorKind.USER, "usr_ada", "Ada")


def key(name: str = "a", environment: str = "production", age: int = 10, **changes: Any) -> LivingKey:
    """A key created `age` days ago."""
    born = NOW - age * DAY
    made = LivingKey(f"key_{name}", name, "fl_live_a1b2", environment, ("pdf.read", "pdf.generate"), born, None, born)
    return replace(made, **changes)


def result(name: ItemName, known: Catalogue = KNOWN, now: int = NOW, **facts: Any) -> Result:
    return evaluate(Facts(**facts), known, now).result(name)


def broken(found: Result) -> list[tuple[str, Remedy | None]]:
    assert found.passed is not bool(found.breaches)
    return [(each.name, each.remedy) for each in found.breaches]


def rotation(predecessor: str, deadline: int) -> Rotation:
    started = NOW - 7 * DAY
    return Rotation("rot_a", "wsp_a", predecessor, "key_new", started, Actor.system().ref, deadline, OnDeadline.KEEP_AND_ALERT, 0)


def test_an_empty_workspace_has_only_to_confirm_what_no_data_shows() -> None:
    found = evaluate(Facts(), KNOWN, NOW)
    assert [each.name for each in found.results] == list(ItemName)
    assert (found.passed, found.total) == (6, 8)
    assert [each.remedy for each in found.failing] == [Remedy.ATTEST, Remedy.ATTEST]


def test_a_key_that_was_refused_in_another_environment_breaks_the_separation() -> None:
    keys = (key("a"), key("b", "staging"))
    assert result(ItemName.ENVIRONMENTS_SEPARATED, keys=keys).passed
    found = result(ItemName.ENVIRONMENTS_SEPARATED, keys=keys, misplaced=frozenset({"key_b", "key_ended"}))
    assert broken(found) == [("b", None)] and found.remedy is Remedy.CREATE_KEY


@pytest.mark.parametrize(
    ("environments", "passed"),
    [([], True), (["production"], True), (["production"] * 2, False), (["staging"] * 2, True), (["production", "staging"], True)],
)
def test_several_keys_that_are_all_for_production_are_too_few(environments: list[str], passed: bool) -> None:
    keys = tuple(key(str(number), each) for number, each in enumerate(environments))
    found = result(ItemName.ENVIRONMENTS_SEPARATED, keys=keys)
    assert (found.passed, found.remedy, found.breaches) == (passed, None if passed else Remedy.CREATE_KEY, ())


def test_some_unused_permissions_are_trimmed_and_a_key_that_uses_none_is_revoked() -> None:
    keys = (key("new", age=40), key("old", age=80), key("fine", age=80))
    unused = {"key_new": frozenset({"pdf.generate"}), "key_old": frozenset({"pdf.generate", "pdf.read"})}
    found = result(ItemName.LEAST_PERMISSIONS, keys=keys, unused=unused)
    assert broken(found) == [("old", Remedy.REVOKE), ("new", Remedy.TRIM_PERMISSIONS)]
    assert found.breaches[1].permissions == ("pdf.generate",)
    assert "No request with it in 80 days" in found.breaches[0].cause
    assert result(ItemName.LEAST_PERMISSIONS, keys=keys, unused={}).passed


def test_a_passed_item_says_that_new_keys_are_not_judged_yet() -> None:
    assert "too early" in result(ItemName.LEAST_PERMISSIONS, keys=(key(age=29),)).reason
    assert "1 newer key is not judged" in result(ItemName.LEAST_PERMISSIONS, keys=(key(age=29), key("b", age=30))).reason


def test_a_production_key_is_overdue_from_its_date_on_unless_it_is_being_rotated() -> None:
    name = ItemName.PRODUCTION_ROTATED
    late = key(created_at=NOW - 90 * DAY)
    assert broken(result(name, keys=(late,))) == [("a", Remedy.ROTATE)]
    assert result(name, keys=(late,), now=NOW - 1).passed
    assert result(name, keys=(late,), rotations=(rotation("key_a", NOW - 1),)).passed
    assert result(name, keys=(key(environment="staging", age=400),)).reason == "There is no production key."


def test_an_expiry_of_a_production_key_breaks_its_item_and_being_overdue_comes_first() -> None:
    ends = key("ends", expires_at=NOW + 3 * DAY)
    both = key("both", age=91, expires_at=NOW + 3 * DAY)
    found = result(ItemName.PRODUCTION_ROTATED, keys=(ends, both))
    assert broken(found) == [("both", Remedy.ROTATE), ("ends", Remedy.REMOVE_EXPIRY)]
    assert "Expires in 3 days" in found.breaches[1].cause


def test_a_temporary_key_needs_an_expiry_within_the_catalogues_limit() -> None:
    name = ItemName.TEMPORARY_EXPIRING
    fine = key("fine", "temporary", expires_at=NOW + 80 * DAY)
    late = key("late", "temporary", expires_at=NOW + 80 * DAY + 1)
    assert result(name, keys=(fine,)).passed
    assert broken(result(name, keys=(fine, late, key("never", "temporary"), key("p")))) == [
        ("late", Remedy.SET_EXPIRY), ("never", Remedy.SET_EXPIRY)
    ]  # fmt: skip


def test_an_old_key_that_works_after_its_deadline_has_to_be_revoked() -> None:
    name = ItemName.ROTATED_REVOKED
    assert broken(result(name, keys=(key(),), rotations=(rotation("key_a", NOW),))) == [("a", Remedy.FINISH_ROTATION)]
    assert "1 rotation is open" in result(name, keys=(key(),), rotations=(rotation("key_a", NOW + 1),)).reason
    assert result(name, keys=(key(),)).passed


def test_usage_counts_as_looked_at_for_thirty_days() -> None:
    name = ItemName.USAGE_REVIEWED
    ada, bob = Visit("usr_ada", "Ada", NOW - 30 * DAY), Visit("usr_bob", "Bob", NOW - 31 * DAY)
    found = result(name, keys=(key(),), visits=(ada, bob))
    assert found.passed and found.visits == (ada,)
    found = result(name, keys=(key(),), visits=(bob,))
    assert (found.passed, found.remedy, found.visits) == (False, Remedy.REVIEW_USAGE, ())
    assert "since 31 days ago" in found.reason
    assert not result(name, keys=(key(),)).passed


@pytest.mark.parametrize(("name", "days"), [(ItemName.KEYS_OUT_OF_CODE, 90), (ItemName.COMPROMISE_PROCESS, 180)])
def test_a_confirmation_is_valid_until_it_has_to_be_renewed(name: ItemName, days: int) -> None:
    confirmed = {name: Attestation(name, NOW - days * DAY, ADA, "https://example.com")}
    assert result(name, attestations=confirmed, now=NOW - 1).passed
    found = result(name, attestations=confirmed)
    assert (found.passed, found.remedy, found.valid_until) == (False, Remedy.ATTEST, NOW)
    assert found.attestation == confirmed[name]


def test_a_key_found_in_a_repository_contradicts_an_earlier_confirmation_only() -> None:
    name = ItemName.KEYS_OUT_OF_CODE
    confirmed = {name: Attestation(name, NOW - 5 * DAY, ADA)}
    before, after = (LeakedKey(f"key_{at}", str(at), "fl_live_a1b2", NOW - at * DAY) for at in (6, 4))
    assert result(name, attestations=confirmed, leaks=(before,)).passed
    found = result(name, attestations=confirmed, leaks=(after, before))
    assert broken(found) == [("4", None)] and found.remedy is Remedy.ATTEST
    assert result(name, leaks=(after, before)).breaches == ()


def test_an_environment_that_left_the_catalogue_is_judged_like_production_without_a_schedule() -> None:
    gone = key(environment="gone", age=400)
    assert result(ItemName.PRODUCTION_ROTATED, keys=(gone,)).passed
    assert broken(result(ItemName.PRODUCTION_ROTATED, keys=(replace(gone, expires_at=NOW + DAY),))) == [("a", Remedy.REMOVE_EXPIRY)]
