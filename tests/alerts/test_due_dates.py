"""When notices are issued: exact to the millisecond, only the most urgent, and none about keys that need no action."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app import clock, database
from app.access.actor import Actor
from app.alerts import service as alerts
from app.clock import DAY, HOUR, MINUTE
from app.keys import service as keys
from app.keys.key import Reason
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline
from app.workspaces import service as workspaces
from tests.alerts.conftest import NOW, key_due, open_now, round_at
from tests.conftest import Team, make_key
from tests.support.access import seen

MILLISECOND = 1_000
STAGES = [14, 7, 1, 0]


@pytest.mark.parametrize("days", STAGES)
async def test_a_rotation_notice_is_issued_from_the_exact_millisecond_of_each_stage(team: Team, at: int, days: int) -> None:
    key = await key_due(team, 30)
    stage = NOW + (30 - days) * DAY
    told_before = await round_at(stage - MILLISECOND)
    assert told_before == ([("Production server", "ROTATE_BY", STAGES[STAGES.index(days) - 1])] if days < 14 else [])
    assert await round_at(stage) == [("Production server", "ROTATE_BY", days)]
    assert await round_at(stage + MILLISECOND) == []
    assert key.created_at < NOW


@pytest.mark.parametrize("days", STAGES)
async def test_an_expiry_notice_is_issued_from_the_exact_millisecond_of_each_stage(team: Team, at: int, days: int) -> None:
    await make_key(team, "Visitor", environment="development", expires_at=NOW + 30 * DAY)
    stage = NOW + (30 - days) * DAY
    told_before = await round_at(stage - MILLISECOND)
    assert told_before == ([("Visitor", "EXPIRY", STAGES[STAGES.index(days) - 1])] if days < 14 else [])
    assert await round_at(stage) == [("Visitor", "EXPIRY", days)]
    assert await round_at(stage + MILLISECOND) == []


async def test_minute_by_minute_each_stage_is_issued_once(team: Team, at: int) -> None:
    await key_due(team, 15)
    told = []
    for hour in range(0, 17 * 24, 6):
        told += await round_at(NOW + hour * HOUR)
        told += await round_at(NOW + hour * HOUR + MINUTE)
    assert told == [("Production server", "ROTATE_BY", days) for days in STAGES]


async def test_after_downtime_only_the_most_urgent_notice_is_issued(team: Team, at: int) -> None:
    await key_due(team, 15, "slow")
    await make_key(team, "short", environment="development", expires_at=NOW + 15 * DAY)
    assert await round_at(NOW + 14 * DAY + HOUR) == [("short", "EXPIRY", 1), ("slow", "ROTATE_BY", 1)]
    assert await round_at(NOW + 14 * DAY + 2 * HOUR) == []


async def test_a_dst_change_moves_no_notice(team: Team) -> None:
    """In Berlin 25 October 2026 has 25 hours and 28 March 2027 has 23: a day stays 24 hours of UTC."""
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin")
    for day in (datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2027, 3, 28, 12, tzinfo=UTC)):
        end = clock.from_datetime(day)
        database.freeze(end - 40 * DAY)
        await make_key(team, f"{day:%Y}", environment="development", expires_at=end)
        for days in STAGES:
            due = end - days * 24 * HOUR
            earlier = await round_at(due - MILLISECOND)
            assert [each for each in earlier if each[0] == f"{day:%Y}" and each[2] == days] == []
            assert (f"{day:%Y}", "EXPIRY", days) in await round_at(due)


async def test_an_expired_or_revoked_key_gets_no_notice(team: Team, at: int) -> None:
    revoked, expired = await key_due(team, 15, "revoked"), await key_due(team, 15, "expired")
    await keys.update(team.owner, expired.id, {"expires_at": NOW + DAY})
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    assert await round_at(NOW + DAY) == [("expired", "EXPIRY", 0)], "that it has expired is the last thing said of it"
    for days in range(1, 40):
        assert await round_at(NOW + days * DAY) == []


async def test_an_expiry_long_ago_gets_no_notice(team: Team, at: int) -> None:
    await make_key(team, "old", expires_at=NOW + DAY)
    assert await round_at(NOW + 9 * DAY) == []


async def test_a_key_being_rotated_gets_expiry_notices_but_no_rotation_notices(team: Team, at: int) -> None:
    key = await key_due(team, 10)
    await keys.update(team.owner, key.id, {"expires_at": NOW + 5 * DAY})
    run = (await rotations.start(team.editor, key.id)).progress
    assert await round_at(NOW) == [("Production server", "EXPIRY", 7)] * 2
    await rotations.cancel(team.editor, run.rotation.id)
    assert await round_at(NOW + MINUTE) == [("Production server", "ROTATE_BY", 14)]


async def test_a_deadline_that_passed_while_both_keys_are_kept_is_reported_once(team: Team, at: int) -> None:
    key = (await make_key(team)).key
    run = (await rotations.start(team.editor, key.id, deadline=NOW + HOUR)).progress
    assert await round_at(NOW + HOUR - MILLISECOND) == []
    assert await round_at(NOW + HOUR) == [("Production server", "DEADLINE", 0)]
    assert await round_at(NOW + HOUR + MILLISECOND) == []
    assert await open_now(team) == [("Production server", "DEADLINE", 0)]
    await rotations.extend(team.editor, run.rotation.id, NOW + 3 * HOUR)
    assert await open_now(team) == []
    assert await round_at(NOW + 3 * HOUR) == [("Production server", "DEADLINE", 0)]
    await rotations.complete(team.editor, run.rotation.id, force=True)
    assert await open_now(team) == []


async def test_a_deadline_that_ends_the_rotation_itself_gets_no_notice(team: Team, at: int) -> None:
    key = (await make_key(team)).key
    await rotations.start(team.editor, key.id, deadline=NOW + HOUR, on_deadline=OnDeadline.REVOKE)
    assert await round_at(NOW + 2 * HOUR) == []


async def test_a_suspended_workspace_gets_no_notices_until_it_is_resumed(team: Team, at: int) -> None:
    await key_due(team, 10)
    await workspaces.suspend(Actor.operator(), team.slug)
    assert await round_at(NOW) == []
    await workspaces.resume(Actor.operator(), team.slug)
    assert await round_at(NOW + 5 * DAY) == [("Production server", "ROTATE_BY", 7)]


async def test_a_suspended_key_gets_notices_too(team: Team, at: int) -> None:
    key = await key_due(team, 10)
    await keys.suspend(team.editor, key.id)
    assert await round_at(NOW) == [("Production server", "ROTATE_BY", 14)]


async def test_extending_a_key_resolves_its_notice_and_the_new_expiry_gets_another(team: Team, at: int) -> None:
    key = (await make_key(team, "Visitor", environment="development", expires_at=NOW + 5 * DAY)).key
    assert await round_at(NOW) == [("Visitor", "EXPIRY", 7)]
    await keys.update(team.owner, key.id, {"expires_at": NOW + 25 * DAY})
    assert await open_now(team) == []
    assert await round_at(NOW + MINUTE) == []
    assert await round_at(NOW + 20 * DAY) == [("Visitor", "EXPIRY", 7)]
    await keys.update(team.owner, key.id, {"expires_at": None})
    assert await round_at(NOW + 24 * DAY) == []


async def test_a_resolved_notice_that_applies_again_is_open_again_but_not_mailed_again(team: Team, at: int) -> None:
    key = await key_due(team, 10)
    assert await round_at(NOW) == [("Production server", "ROTATE_BY", 14)]
    run = (await rotations.start(team.editor, key.id)).progress
    assert await round_at(NOW + MINUTE) == []
    assert await open_now(team) == []
    await rotations.cancel(team.editor, run.rotation.id)
    assert await round_at(NOW + 2 * MINUTE) == []
    assert await open_now(team) == [("Production server", "ROTATE_BY", 14)]


async def test_only_the_latest_notice_of_a_key_and_kind_is_open(team: Team, at: int) -> None:
    await key_due(team, 15)
    for days in (1, 8, 14):
        await round_at(NOW + days * DAY)
    assert await open_now(team) == [("Production server", "ROTATE_BY", 1)]
    assert [each.days for each in await alerts.past_alerts(await seen(team.viewer, team.slug), 10)] == [7, 14]


async def test_an_expired_key_has_no_open_notice_and_revoking_resolves_immediately(team: Team, at: int) -> None:
    await make_key(team, "short", environment="development", expires_at=NOW + DAY)
    slow = await key_due(team, 5, "slow")
    await round_at(NOW)
    await round_at(NOW + DAY)
    assert await open_now(team) == [("slow", "ROTATE_BY", 7)]
    await keys.revoke(team.owner, slow.id, Reason.OTHER)
    assert await open_now(team) == []
    assert [each.days for each in await alerts.past_alerts(await seen(team.viewer, team.slug), 10)] == [0, 1, 7]


async def test_another_workspace_neither_sees_nor_counts_them(team: Team, other_team: Team, at: int) -> None:
    await key_due(team, 5)
    await round_at(NOW)
    assert await alerts.open_alerts(await seen(other_team.owner, other_team.slug)) == []
    assert await alerts.count_open(await seen(other_team.owner, other_team.slug)) == 0
    assert await alerts.count_open(await seen(team.owner, team.slug)) == 1
