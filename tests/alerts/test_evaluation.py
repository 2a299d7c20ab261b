"""Alerts about use, from real counters: raised once, extended, resolved, and taught."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app import database
from app.access.actor import Actor
from app.alerts import evaluation, learning
from app.alerts import service as alerts
from app.alerts.alert import Kind, Resolution
from app.alerts.evaluation import EVERY
from app.clock import DAY, HOUR, MINUTE, SECOND, parse_rfc3339
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.settings import Settings
from app.usage import recent_store
from app.workspaces import service as workspaces
from tests.alerts.conftest import mailbox
from tests.alerts.history import HOME, STRANGE, evaluated, open_of, use, used, worked
from tests.conftest import Team, make_key
from tests.support.access import at, seen

# A Wednesday.
NOW = parse_rfc3339("2026-10-28T10:30:00Z")


@pytest.fixture
async def worker(team: Team) -> ApiKey:
    """A key that has worked on working days for four weeks, seen at NOW."""
    database.freeze(NOW - 30 * DAY)
    key = (await make_key(team, permissions=("pdf.read", "pdf.delete"))).key
    database.freeze(NOW)
    await worked(key.id, NOW)
    assert await evaluated() == 0, "four weeks of usual work are no anomaly"
    database.freeze(NOW + MINUTE)
    return key


async def test_a_request_from_another_network_raises_one_alert_with_its_evidence(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE, user_agent="curl")])
    assert await evaluated() == 1
    (alert,) = await open_of(team)
    assert (alert.kind, alert.key.id, alert.count) == (Kind.UNEXPECTED_NETWORK, worker.id, 1)
    assert alert.evidence["networks"] == [STRANGE] and alert.baseline["networks"] == [HOME]
    assert (alert.first_seen_at, alert.last_seen_at, alert.at) == (NOW + MINUTE,) * 3


async def test_more_requests_extend_the_alert_and_raise_no_second_one(team: Team, worker: ApiKey) -> None:
    for minute in range(1, 5):
        database.freeze(NOW + minute * MINUTE)
        await used([use(worker.id, NOW + minute * MINUTE, network=STRANGE, requests=10)])
        assert await evaluated() == (1 if minute == 1 else 0)
    (alert,) = await open_of(team)
    assert alert.count == 40 and alert.last_seen_at == NOW + 4 * MINUTE and alert.at == NOW + MINUTE


async def test_a_flood_of_failures_raises_a_spike(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, outcome="IP_NOT_ALLOWED", requests=300)])
    assert await evaluated() == 1
    assert [(each.kind, each.count) for each in await open_of(team)] == [(Kind.FAILURE_SPIKE, 300)]


async def test_use_at_night_raises_an_alert_unless_the_key_works_round_the_clock(team: Team, worker: ApiKey) -> None:
    night = NOW + 16 * HOUR
    database.freeze(night)
    await alerts.set_expected(team.editor, worker.id, Kind.OUTSIDE_BUSINESS_HOURS, expected=True)
    await used([use(worker.id, night, requests=5)])
    assert await evaluated() == 0
    await alerts.set_expected(team.editor, worker.id, Kind.OUTSIDE_BUSINESS_HOURS, expected=False)
    database.freeze(night + MINUTE)
    await used([use(worker.id, night + MINUTE)])
    assert await evaluated() == 1
    assert [each.kind for each in await open_of(team)] == [Kind.OUTSIDE_BUSINESS_HOURS]


async def test_a_permission_never_used_and_one_not_held_raise_one_alert(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, permission="pdf.delete")])
    await used([use(worker.id, NOW + MINUTE, permission="template.write", outcome="PERMISSION_DENIED")])
    assert await evaluated() == 1
    (alert,) = await open_of(team)
    assert alert.evidence["permissions"] == ["pdf.delete", "template.write"] and alert.evidence["notHeld"] == ["template.write"]


async def test_a_revoked_key_that_is_still_presented_raises_an_alert(team: Team, worker: ApiKey) -> None:
    await keys.revoke(team.owner, worker.id, Reason.SUSPICIOUS_ACTIVITY)
    database.freeze(NOW + 10 * MINUTE)
    await used([use(worker.id, NOW + 10 * MINUTE, outcome="REVOKED", network=STRANGE)])
    assert await evaluated() == 1
    assert [each.kind for each in await open_of(team)] == [Kind.USE_AFTER_REVOCATION]


async def test_a_key_that_wakes_after_a_month_raises_an_alert(team: Team, worker: ApiKey) -> None:
    later = NOW + 35 * DAY
    database.freeze(later)
    await used([use(worker.id, later)])
    assert await evaluated() == 1
    assert [each.kind for each in await open_of(team)] == [Kind.DORMANT_KEY]


async def test_an_attack_on_a_key_two_seconds_old_raises_an_alert(team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key
    database.freeze(NOW + 2 * SECOND)
    attack = [use(key.id, NOW + SECOND, network=f"{20 + n}.9.9.0/24", outcome="PERMISSION_DENIED") for n in range(120)]
    await used(attack)
    assert await evaluated() == 1
    (alert,) = await open_of(team)
    assert (alert.kind, alert.count, alert.evidence["networkCount"]) == (Kind.FAILURE_SPIKE, 120, 120)


async def test_a_network_called_expected_raises_nothing_more_for_any_key_of_the_workspace(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    await evaluated()
    (alert,) = await open_of(team)
    resolved = await alerts.resolve(team.editor, alert.id, Resolution.EXPECTED)
    assert not resolved.is_open and resolved.resolved_by is not None and resolved.resolved_by.id == team.editor.id
    again = await alerts.resolve(team.owner, alert.id, Resolution.HANDLED)
    assert again.resolution is Resolution.EXPECTED, "the first resolution stays"
    database.freeze(NOW + 3 * HOUR)
    await used([use(worker.id, NOW + 3 * HOUR, network=STRANGE)])
    assert await evaluated() == 0 and await open_of(team) == []


async def test_a_handled_network_that_comes_back_raises_another_alert(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    await evaluated()
    database.freeze(NOW + MINUTE + SECOND)
    await alerts.resolve(team.editor, (await open_of(team))[0].id, Resolution.HANDLED)
    database.freeze(NOW + 2 * MINUTE)
    await used([use(worker.id, NOW + 2 * MINUTE, network=STRANGE)])
    assert await evaluated() == 0, "requests that were on their way"
    for days in (1, 2):
        database.freeze(NOW + days * DAY)
        await used([use(worker.id, NOW + days * DAY, network=STRANGE)])
        assert await evaluated() == (1 if days == 1 else 0), "what nobody called expected is not learned"
    assert len(await open_of(team)) == 1


async def test_a_second_network_is_seen_at_once_although_the_first_was_just_handled(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    await evaluated()
    await alerts.resolve(team.editor, (await open_of(team))[0].id, Resolution.HANDLED)
    database.freeze(NOW + 2 * MINUTE)
    await used([use(worker.id, NOW + 2 * MINUTE, network="192.0.2.0/24")])
    assert await evaluated() == 1


async def test_a_network_that_another_key_has_long_used_is_familiar(team: Team, worker: ApiKey) -> None:
    other = (await make_key(team, "Other")).key
    await used([use(other.id, NOW - 3 * DAY, network=STRANGE)])
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    assert await evaluated() == 0


async def test_a_suspended_workspace_gets_no_alerts(team: Team, worker: ApiKey) -> None:
    await workspaces.suspend(Actor.operator(), team.slug)
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    assert await evaluated() == 0


async def test_viewers_and_strangers_resolve_nothing(team: Team, other_team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    await evaluated()
    (alert,) = await open_of(team)
    with pytest.raises(NotAllowed):
        await alerts.resolve(team.viewer, alert.id, Resolution.EXPECTED)
    for stranger in (other_team.owner, other_team.viewer):
        with pytest.raises(NotFound):
            await alerts.resolve(stranger, alert.id, Resolution.EXPECTED)
        with pytest.raises(NotFound):
            await alerts.resolve(stranger, alert.id, Resolution.EXPECTED, slug=other_team.slug)
        with pytest.raises(NotFound):
            await alerts.get(stranger, alert.id)
    with pytest.raises(ValidationFailed):
        await alerts.resolve(team.owner, alert.id, Resolution.OVER)
    assert len(await open_of(team)) == 1 and await alerts.open_alerts(await seen(other_team.owner, other_team.slug)) == []


async def test_what_a_key_was_taught_is_listed_and_can_be_forgotten(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, permission="pdf.delete")])
    await evaluated()
    await alerts.resolve(team.editor, (await open_of(team))[0].id, Resolution.EXPECTED)
    access, key = await at(team.viewer, worker.id)
    assert await alerts.expectations(access, key) == {Kind.UNUSED_PERMISSION: {"pdf.delete"}}
    await alerts.set_expected(team.editor, worker.id, Kind.UNUSED_PERMISSION, expected=False)
    assert await alerts.expectations(access, key) == {}
    with pytest.raises(ValidationFailed):
        await alerts.set_expected(team.editor, worker.id, Kind.EXPIRY, expected=True)


async def test_a_key_is_evaluated_at_most_once_in_a_while_and_loses_nothing(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE)])
    await evaluated()
    database.freeze(NOW + MINUTE + SECOND)
    await used([use(worker.id, NOW + MINUTE + SECOND, network=STRANGE)])
    assert await evaluated() == 0 and not await evaluation.is_wanted(NOW + MINUTE + SECOND)
    database.freeze(NOW + MINUTE + EVERY)
    assert await evaluation.is_wanted(NOW + MINUTE + EVERY)
    assert await evaluated() == 1


async def test_a_key_that_was_taken_by_a_node_that_died_is_evaluated_by_another(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    assert await recent_store.take(NOW + MINUTE, EVERY, 10) == [worker.id]
    assert await evaluated() == 0
    database.freeze(NOW + 2 * MINUTE)
    assert await evaluated() == 1


async def test_use_while_a_key_is_evaluated_is_evaluated_again(team: Team, worker: ApiKey) -> None:
    await used([use(worker.id, NOW + MINUTE)])
    taken = await recent_store.take(NOW + MINUTE, EVERY, 10)
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    await database.settle()
    await recent_store.done(taken)
    database.freeze(NOW + 2 * MINUTE)
    assert await evaluated() == 1


async def test_evaluating_many_keys_does_not_fold_for_each_of_its_reads(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [(await make_key(team, name=f"Key {number}")).key for number in range(4)]
    await used(use(key.id, NOW) for key in made)
    monkeypatch.setattr(evaluation, "AT_ONCE", 1)
    evaluate = evaluation.evaluate

    async def while_keys_are_used(key_ids: Sequence[str]) -> int:
        await used([use(made[0].id, NOW)])
        return await evaluate(key_ids)

    monkeypatch.setattr(evaluation, "evaluate", while_keys_are_used)
    assert await evaluated() == 0
    (left,) = await database.fetch("SELECT count(*) AS rows FROM usage_log")
    assert left["rows"] == 4


async def test_many_other_keys_do_not_hide_one(team: Team, worker: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "AT_ONCE", 5)
    await used(use(f"key_{number:020}", NOW + MINUTE, outcome="REVOKED") for number in range(40))
    await used([use(worker.id, NOW + MINUTE, network=STRANGE)])
    assert await evaluated() == 1


async def test_many_networks_of_refusals_are_dropped_after_a_while_and_their_count_stays(team: Team, worker: ApiKey) -> None:
    await used(use(worker.id, NOW + MINUTE, outcome="REVOKED", network=f"{20 + n}.9.9.0/24") for n in range(50))
    database.freeze(NOW + 40 * MINUTE)
    await recent_store.forget_old()
    assert [row[4:6] for row in await recent_store.refusals([worker.id], NOW)] == [("*", 50)]
    database.freeze(NOW + 5 * HOUR)
    await recent_store.forget_old()
    assert await recent_store.refusals([worker.id], NOW) == []


async def test_a_baseline_is_learned_once_a_day(team: Team, worker: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = []
    monkeypatch.setattr(learning, "learn", lambda history, now, kept: learned.append(now) or _learn(history, now, kept))
    for minutes in (1, 2, 3, 24 * 60 + 5):
        database.freeze(NOW + minutes * MINUTE)
        await used([use(worker.id, NOW + minutes * MINUTE)])
        await evaluated()
    assert learned == [NOW + DAY + 5 * MINUTE]


_learn = learning.learn


@pytest.mark.usefixtures("emptied")
async def test_members_who_can_act_get_a_mail_that_says_what_was_found(team: Team, worker: ApiKey, settings: Settings) -> None:
    await used([use(worker.id, NOW + MINUTE, network=STRANGE, user_agent="curl")])
    await evaluated()
    letters = await mailbox(settings)
    assert sorted(letter["To"] for letter in letters) == ["editor@acme.example", "owner@acme.example"]
    text = letters[0].get_content()
    assert f"Unexpected network. It was used from a network that it was not used from before. {STRANGE} by curl." in text
    assert f"Usual: {HOME}." in text
