"""Automatic suspension: by a rule that an owner has switched on, within the daily limit, and never twice for one incident."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app import database
from app.access.actor import ActorKind
from app.alerts import lifecycle
from app.alerts import service as alerts
from app.alerts import suspension_service as suspension
from app.alerts.alert import Alert, Kind, Resolution, Withheld
from app.alerts.alert_store import AlertFilter
from app.alerts.situation import Finding, KeyFacts
from app.alerts.suspension import SUSPENDING, AutomaticSuspension, Outcome
from app.audit import store as audit_store
from app.clock import DAY, HOUR, MINUTE
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.rotations import service as rotations
from app.settings import Settings
from app.versions import Stale
from tests.alerts.conftest import mailbox
from tests.alerts.history import STRANGE, evaluated, use, used, worked
from tests.alerts.test_evaluation import NOW
from tests.conftest import Team, make_key
from tests.support.access import at, seen
from tests.support.processes import answer, python

OTHER = "192.0.2.0/24"
# Another node, which evaluates one key after the other once the test allows it.
NODE = f"""
import asyncio, os, sys
from app import database, start
from app.alerts import evaluation
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        database.freeze({NOW + MINUTE})
        evaluation.AT_ONCE = 1
        open(sys.argv[-1]).read()
        print(await evaluation.run({NOW + MINUTE}))
asyncio.run(main())
"""


async def workers(team: Team, count: int) -> list[ApiKey]:
    """Keys that have worked on working days for four weeks; the clock is at NOW."""
    database.freeze(NOW - 30 * DAY)
    made = [(await make_key(team, f"Worker {number}")).key for number in range(count)]
    database.freeze(NOW)
    for key in made:
        await worked(key.id, NOW)
    assert await evaluated() == 0
    return made


@pytest.fixture
async def worker(team: Team) -> ApiKey:
    return (await workers(team, 1))[0]


async def switch_on(team: Team, *kinds: Kind, most: int = 3) -> None:
    await suspension.update(team.owner, team.slug, kinds=kinds or (Kind.UNEXPECTED_NETWORK,), most_a_day=most)


async def strange(key: ApiKey, instant: int, network: str = STRANGE) -> int:
    """A request from a network that the key was not used from; returns how many alerts it raised."""
    database.freeze(instant)
    await used([use(key.id, instant, network=network, user_agent="curl")])
    return await evaluated()


async def note(key: ApiKey, instant: int, kind: Kind = Kind.UNEXPECTED_NETWORK, *values: str, first_at: int | None = None) -> int:
    """Raises an alert as a rule that has found this does."""
    database.freeze(instant)
    facts = KeyFacts(key.id, key.workspace_id, key.created_at, key.expires_at, None, key.permissions)
    found = Finding(kind, first_at or instant, instant, {str(instant): 1}, values or (STRANGE,), 0, 1, "networks", {}, {})
    return await lifecycle.note(key.workspace_id, [(facts, found)], instant)


async def newest(team: Team, key: ApiKey) -> Alert:
    return (await alerts.newest(await seen(team.viewer, team.slug), 1, AlertFilter(key_id=key.id)))[0]


async def suspended(team: Team, *made: ApiKey) -> list[bool]:
    return [(await keys.get(team.viewer, key.id)).suspended_at is not None for key in made]


async def settle(team: Team, key: ApiKey, instant: int) -> None:
    """An editor resumes the key and resolves its alert."""
    database.freeze(instant)
    await keys.resume(team.editor, key.id)
    await alerts.resolve(team.editor, (await newest(team, key)).id, Resolution.HANDLED)


async def test_no_rule_suspends_unless_an_owner_has_switched_it_on(team: Team, worker: ApiKey) -> None:
    assert await suspension.find(await seen(team.viewer, team.slug)) == AutomaticSuspension((), 3)
    assert await strange(worker, NOW + MINUTE) == 1
    alert = await newest(team, worker)
    assert await suspended(team, worker) == [False] and (alert.suspended_at, alert.withheld) == (None, None)


async def test_an_alert_of_the_rule_suspends_its_key_as_a_person_would(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    assert await strange(worker, NOW + MINUTE) == 1
    alert, key = await newest(team, worker), await keys.get(team.viewer, worker.id)
    assert alert.suspended_at == key.suspended_at == NOW + MINUTE and alert.keeps_suspended and alert.is_open
    (entry,) = await audit_store.entries_about(key.workspace_id, key.id, ("key.suspended",), 0)
    assert entry.actor.kind is ActorKind.SYSTEM
    note = "By the alert Unexpected network"
    assert entry.detail == {"name": key.name, "alert": alert.id, "kind": "UNEXPECTED_NETWORK", "note": note}
    access = await seen(team.viewer, team.slug)
    assert await alerts.of_key(access, key, 5) == [alert] and await suspension.count_lately(access) == 1
    resolved = await alerts.resolve(team.editor, alert.id, Resolution.HANDLED)
    assert not resolved.is_open and resolved.keeps_suspended
    assert await alerts.of_key(access, key, 5) == [resolved]
    key = await keys.resume(team.editor, key.id)
    assert await alerts.of_key(access, key, 5) == []


async def test_live_pages_notice_that_a_person_has_resumed_the_key(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    access = await seen(team.viewer, team.slug)
    before = await alerts.version_mark(access)
    assert await alerts.version_mark(access) == before
    await keys.resume(team.editor, worker.id)
    assert await alerts.version_mark(access) != before


async def test_the_suspension_is_in_the_journal(team: Team, worker: ApiKey, settings: Settings) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    lines = settings.journal_path.read_text().splitlines()
    assert [line for line in lines if worker.id in line and '"key.suspended"' in line]


async def test_another_rule_than_the_chosen_one_suspends_nothing(team: Team, worker: ApiKey) -> None:
    await switch_on(team, Kind.FAILURE_SPIKE, Kind.DORMANT_KEY)
    await strange(worker, NOW + MINUTE)
    assert await suspended(team, worker) == [False]


async def test_an_alert_that_was_open_before_suspends_nothing_later(team: Team, worker: ApiKey) -> None:
    await strange(worker, NOW + MINUTE)
    await switch_on(team)
    assert await strange(worker, NOW + 2 * MINUTE) == 0 and await suspended(team, worker) == [False]


async def test_a_key_suspended_by_hand_stays_a_persons(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    database.freeze(NOW + MINUTE)
    await keys.suspend(team.editor, worker.id)
    await note(worker, NOW + 2 * MINUTE)
    access, key = await at(team.viewer, worker.id)
    assert key.suspended_at == NOW + MINUTE
    assert [alert.keeps_suspended for alert in await alerts.of_key(access, key, 5)] == [False]
    assert (await newest(team, worker)).withheld is None


@pytest.mark.usefixtures("emptied")
async def test_beyond_the_daily_limit_the_alert_says_so_and_owners_get_one_mail(team: Team, settings: Settings) -> None:
    made = [(await make_key(team, f"Key {number}")).key for number in range(5)]
    await switch_on(team, most=2)
    for number, key in enumerate(made):
        await note(key, NOW + number * MINUTE)
    assert await suspended(team, *made) == [True, True, False, False, False]
    assert [(await newest(team, key)).withheld for key in made] == [None, None, *[Withheld.DAILY_LIMIT] * 3]
    letters = await mailbox(settings)
    limited = [letter for letter in letters if "daily limit" in letter["Subject"]]
    assert [letter["To"] for letter in limited] == ["owner@acme.example"]
    text = limited[0].get_content()
    assert "Within 24 hours 2 keys were suspended automatically" in text and "Key 2 (" in text and "/alerts/suspension" in text
    raised = [letter.get_content() for letter in letters if letter["To"] == "editor@acme.example"]
    assert [("Keydesk has suspended the key." in text, "Not suspended: the daily limit" in text) for text in raised] == [
        (True, False), (True, False), (False, True), (False, True), (False, True),
    ]  # fmt: skip


async def test_the_limit_is_that_of_any_24_hours(team: Team) -> None:
    made = [(await make_key(team, f"Key {number}")).key for number in range(4)]
    await switch_on(team, most=1)
    for key, instant in zip(made, (NOW, NOW + DAY - MINUTE, NOW + DAY, NOW + DAY + HOUR), strict=True):
        await note(key, instant)
    assert await suspended(team, *made) == [True, False, True, False]


async def test_the_limit_is_that_of_one_workspace(team: Team, other_team: Team) -> None:
    ours, theirs = (await make_key(team)).key, (await make_key(other_team)).key
    await switch_on(team, most=1)
    await switch_on(other_team, most=1)
    await note(ours, NOW)
    await note(theirs, NOW)
    assert await suspended(team, ours) == await suspended(other_team, theirs) == [True]


async def test_concurrent_alerts_of_many_keys_keep_the_limit(team: Team) -> None:
    made = [(await make_key(team, f"Key {number}")).key for number in range(8)]
    await switch_on(team, most=3)
    assert sum(await asyncio.gather(*(note(key, NOW) for key in made))) == 8
    assert sum(await suspended(team, *made)) == 3
    found = [await newest(team, key) for key in made]
    assert sum(alert.suspended_at is not None for alert in found) == 3
    assert sum(alert.withheld is Withheld.DAILY_LIMIT for alert in found) == 5


@pytest.mark.slow
async def test_two_nodes_that_evaluate_at_once_keep_the_limit(team: Team, environment: dict[str, str], tmp_path: Path) -> None:
    made = await workers(team, 8)
    await switch_on(team, most=3)
    database.freeze(NOW + MINUTE)
    await used(use(key.id, NOW + MINUTE, network=STRANGE) for key in made)
    await database.settle()
    gates = [tmp_path / "first", tmp_path / "second"]
    for gate in gates:
        os.mkfifo(gate)
    nodes = [python(NODE, environment, str(gate)) for gate in gates]
    # Opening a pipe waits for its reader: when both are open, both nodes are about to evaluate.
    for pipe in [await asyncio.to_thread(gate.open, "w") for gate in gates]:
        pipe.close()
    raised = [int(await asyncio.to_thread(answer, node)) for node in nodes]
    assert sum(raised) == 8 and min(raised) > 0, "both nodes took part"
    assert sum(await suspended(team, *made)) == 3


@pytest.mark.parametrize("first", [0, 1])
async def test_never_both_keys_of_a_rotation(team: Team, first: int) -> None:
    old = (await make_key(team)).key
    pair = [old, (await rotations.start(team.editor, old.id)).progress.successor]
    await switch_on(team)
    await note(pair[first], NOW)
    await note(pair[1 - first], NOW + MINUTE)
    assert (await suspended(team, *pair))[first] and sum(await suspended(team, *pair)) == 1
    assert (await newest(team, pair[1 - first])).withheld is Withheld.ROTATION


async def test_concurrent_alerts_of_both_keys_of_a_rotation_suspend_one(team: Team) -> None:
    old = (await make_key(team)).key
    pair = [old, (await rotations.start(team.editor, old.id)).progress.successor]
    await switch_on(team)
    await asyncio.gather(*(note(key, NOW) for key in pair))
    assert sum(await suspended(team, *pair)) == 1


async def test_after_the_rotation_the_successor_can_be_suspended(team: Team) -> None:
    old = (await make_key(team)).key
    progress = (await rotations.start(team.editor, old.id)).progress
    await switch_on(team)
    await note(old, NOW)
    await keys.revoke(team.editor, old.id, Reason.OTHER)
    await note(progress.successor, NOW + MINUTE)
    assert await suspended(team, progress.successor) == [True]


async def test_a_resumed_key_is_not_suspended_again_while_its_alert_is_open(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    database.freeze(NOW + 2 * MINUTE)
    await keys.resume(team.editor, worker.id)
    for minutes in (3, 30, 300):
        assert await strange(worker, NOW + minutes * MINUTE) == 0
    assert await suspended(team, worker) == [False]
    assert not (await newest(team, worker)).keeps_suspended


async def test_the_incident_that_goes_on_after_it_was_settled_does_not_suspend_again(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    await settle(team, worker, NOW + 2 * MINUTE)
    # Again an hour later, as an alert that was handled says it will be; and a third time.
    for hours in (1, 2, 3):
        assert await strange(worker, NOW + hours * HOUR + 3 * MINUTE) == 1
        assert (await newest(team, worker)).withheld is Withheld.RESUMED
        await alerts.resolve(team.editor, (await newest(team, worker)).id, Resolution.HANDLED)
    assert await suspended(team, worker) == [False]


async def test_another_rule_does_not_suspend_for_what_was_going_on_at_the_resume(team: Team) -> None:
    key = (await make_key(team)).key
    await switch_on(team, Kind.UNEXPECTED_NETWORK, Kind.UNUSED_PERMISSION)
    await note(key, NOW)
    await settle(team, key, NOW + 10 * MINUTE)
    await note(key, NOW + 12 * MINUTE, Kind.UNUSED_PERMISSION, "pdf.delete", first_at=NOW + MINUTE)
    assert await suspended(team, key) == [False] and (await newest(team, key)).withheld is Withheld.RESUMED


async def test_something_new_suspends_a_resumed_key_again(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    await settle(team, worker, NOW + 2 * MINUTE)
    assert await strange(worker, NOW + 4 * MINUTE, OTHER) == 1 and await suspended(team, worker) == [True]


async def test_an_incident_that_comes_back_a_day_later_suspends_again(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    await strange(worker, NOW + MINUTE)
    await settle(team, worker, NOW + 2 * MINUTE)
    assert await strange(worker, NOW + DAY) == 1 and await suspended(team, worker) == [True]


async def test_only_rules_about_use_of_a_working_key_can_suspend(team: Team) -> None:
    can = {"UNEXPECTED_NETWORK", "FAILURE_SPIKE", "OUTSIDE_BUSINESS_HOURS", "UNUSED_PERMISSION", "DORMANT_KEY"}
    assert {str(kind) for kind in SUSPENDING} == can
    for kind in set(Kind) - set(SUSPENDING):
        with pytest.raises(ValidationFailed):
            await switch_on(team, kind)
        with pytest.raises(ValidationFailed):
            await suspension.preview(await seen(team.owner, team.slug), kind)
    for most in (0, -1, 101):
        with pytest.raises(ValidationFailed):
            await switch_on(team, most=most)


async def test_a_notice_about_a_date_suspends_nothing(team: Team) -> None:
    await switch_on(team, *SUSPENDING)
    database.freeze(NOW)
    key = (await make_key(team, environment="development", expires_at=NOW + 12 * HOUR)).key
    assert [alert.kind for alert in await alerts.run(NOW)] == [Kind.EXPIRY]
    assert await suspended(team, key) == [False]


async def test_owners_set_it_and_nobody_overwrites_what_another_has_set(team: Team, other_team: Team) -> None:
    for actor, error in ((team.editor, NotAllowed), (team.viewer, NotAllowed), (other_team.owner, NotFound)):
        with pytest.raises(error):
            await suspension.update(actor, team.slug, kinds=[Kind.DORMANT_KEY])
    before = await suspension.find(await seen(team.owner, team.slug))
    _, new = await suspension.update(team.owner, team.slug, kinds=[Kind.DORMANT_KEY], most_a_day=5, expected=before.version)
    assert new == AutomaticSuspension((Kind.DORMANT_KEY,), 5)
    with pytest.raises(Stale):
        await suspension.update(team.owner, team.slug, kinds=[], expected=before.version)
    again = await suspension.update(team.owner, team.slug, kinds=[Kind.DORMANT_KEY], most_a_day=5, expected=before.version)
    assert again[1] == new, "what is so already needs no change"
    entries = await audit_store.entries_about(team.workspace.id, team.workspace.id, ("alert.automatic_suspension_changed",), 0)
    assert [entry.detail for entry in entries] == [
        {"rules": {"before": [], "after": ["DORMANT_KEY"]}, "daily_limit": {"before": 3, "after": 5}}
    ]
    _, kept = await suspension.update(team.owner, team.slug, most_a_day=6)
    assert kept == AutomaticSuspension((Kind.DORMANT_KEY,), 6)


async def test_the_preview_says_what_a_rule_would_have_suspended(team: Team) -> None:
    first, second, over = [(await make_key(team, name)).key for name in ("First", "Second", "Over")]
    await note(first, NOW - 31 * DAY)
    await alerts.resolve(team.editor, (await newest(team, first)).id, Resolution.HANDLED)
    await note(first, NOW - 2 * DAY, Kind.UNEXPECTED_NETWORK, OTHER)
    await note(second, NOW - 2 * DAY + HOUR)
    await note(second, NOW - DAY, Kind.FAILURE_SPIKE, "40")
    database.freeze(NOW - HOUR)
    await keys.revoke(team.owner, over.id, Reason.OTHER)
    await note(over, NOW - MINUTE)
    access = await seen(team.viewer, team.slug)
    limited, all_of_them = [await suspension.preview(access, Kind.UNEXPECTED_NETWORK, most) for most in (1, 2)]
    assert [(alert.key.name, outcome) for alert, outcome in limited.alerts] == [
        ("Over", Outcome.NOTHING), ("Second", Outcome.DAILY_LIMIT), ("First", Outcome.SUSPENDED),
    ]  # fmt: skip
    assert (all_of_them.suspended, all_of_them.over_limit) == (2, 0)
    assert (await suspension.preview(access, Kind.UNEXPECTED_NETWORK)).most_a_day == 3
    assert len((await suspension.preview(access, Kind.FAILURE_SPIKE)).alerts) == 1
    assert await suspended(team, first, second) == [False, False], "a preview changes nothing"


async def test_a_key_that_has_ended_is_not_suspended(team: Team, worker: ApiKey) -> None:
    await switch_on(team)
    database.freeze(NOW + MINUTE)
    await keys.revoke(team.owner, worker.id, Reason.OTHER)
    await note(worker, NOW + 2 * MINUTE)
    assert await suspended(team, worker) == [False] and (await newest(team, worker)).withheld is None
