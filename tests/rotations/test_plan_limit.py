"""Exactly one of the two keys of an open rotation takes a slot, under concurrency and against attempts to get more."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.access.actor import Actor
from app.clock import DAY, HOUR
from app.errors import Conflict, PlanLimitReached
from app.keys import service as keys
from app.keys.key import ApiKey, KeySettings, Reason
from app.plans import service as plans
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline, Progress
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen
from tests.support.callers import use
from tests.support.http import known


@pytest.fixture
async def free(db: None) -> Team:
    """A workspace whose plan allows one key."""
    return await make_team("small", plan="free")


async def begun(team: Team, **changes: object) -> Progress:
    """An open rotation of the team's only key."""
    key = (await make_key(team, **changes)).key
    return (await rotations.start(team.editor, key.id)).progress


async def metered(team: Team) -> tuple[int, int]:
    meter = await plans.meter(await seen(team.owner, team.slug))
    return meter.used, meter.rotating


async def no_room(team: Team) -> None:
    with pytest.raises(PlanLimitReached):
        await make_key(team)


async def test_a_free_workspace_rotates_its_only_key(free: Team) -> None:
    run = await begun(free)
    assert await metered(free) == (1, 1)
    await no_room(free)
    await use(run.successor.id)
    await rotations.complete(free.editor, run.rotation.id, force=True)
    assert await metered(free) == (1, 0)
    await no_room(free)
    await keys.revoke(free.owner, run.successor.id, Reason.OTHER)
    assert await metered(free) == (0, 0)
    await make_key(free)


async def test_fifty_concurrent_starts_create_one_rotation(free: Team) -> None:
    key = (await make_key(free)).key
    # On a busy machine some wait too long for a connection or the lock, are told so, and repeat.
    attempts = [known(lambda: rotations.start(free.editor, key.id)) for _ in range(50)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    started = [result for result in results if isinstance(result, rotations.Started)]
    assert len(started) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 49
    assert await metered(free) == (1, 1)
    assert await rotations.count(await seen(free.viewer, free.slug)) == 1
    assert await keys.count(await seen(free.viewer, free.slug)) == 2


async def test_concurrent_starts_and_creations_never_exceed_the_plan(db: None) -> None:
    team = await make_team(plan="starter")
    key = (await make_key(team)).key
    asked = KeySettings("x", "production", ("pdf.read",))
    attempts = [
        known(attempt)
        for _ in range(20)
        for attempt in (lambda: rotations.start(team.editor, key.id), lambda: keys.create(team.owner, team.slug, asked))
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(result, rotations.Started) for result in results) == 1
    assert sum(isinstance(result, keys.Created) for result in results) == 1
    assert await metered(team) == (2, 1)


async def test_neither_key_of_an_open_rotation_can_start_another(free: Team) -> None:
    run = await begun(free)
    for key in (run.predecessor, run.successor):
        with pytest.raises(Conflict, match="already being rotated"):
            await rotations.start(free.editor, key.id)
        with pytest.raises(Conflict):
            await rotations.start(free.editor, key.id, idempotency_key="another")
    await use(run.successor.id)
    with pytest.raises(Conflict):
        await rotations.start(free.editor, run.successor.id)
    assert await metered(free) == (1, 1)


@pytest.mark.parametrize("which", ["predecessor", "successor"])
async def test_revoking_either_key_manually_leaves_one_key_in_one_slot(free: Team, which: str) -> None:
    run = await begun(free)
    gone: ApiKey = getattr(run, which)
    await keys.revoke(free.owner, gone.id, Reason.OTHER)
    assert await metered(free) == (1, 0)
    await no_room(free)
    left = run.successor if which == "predecessor" else run.predecessor
    again = (await rotations.start(free.editor, left.id)).progress
    assert await metered(free) == (1, 1)
    await no_room(free)
    assert again.rotation.id != run.rotation.id


@pytest.mark.parametrize("which", ["predecessor", "successor"])
async def test_letting_either_key_expire_leaves_one_key_in_one_slot(free: Team, which: str) -> None:
    now = await database.now()
    run = await begun(free, expires_at=now + DAY)
    lives = run.successor if which == "predecessor" else run.predecessor
    await keys.update(free.editor, lives.id, {"expires_at": None})
    database.freeze(now + DAY)
    assert await metered(free) == (1, 0)
    await no_room(free)
    await rotations.start(free.editor, lives.id)
    assert await metered(free) == (1, 1)


async def test_both_keys_kept_past_the_deadline_count_and_cannot_start_another_rotation(free: Team) -> None:
    run = await begun(free)
    for offset, used in ((-1, 1), (0, 2), (1, 2)):
        database.freeze(run.rotation.deadline + offset)
        assert await metered(free) == (used, 1)
    await no_room(free)
    for key in (run.predecessor, run.successor):
        with pytest.raises(Conflict):
            await rotations.start(free.editor, key.id)
    meter = await plans.meter(await seen(free.owner, free.slug))
    assert (meter.limit, meter.used, meter.remaining) == (1, 2, 0)
    await rotations.complete(free.editor, run.rotation.id, force=True)
    assert await metered(free) == (1, 0)


async def test_a_rotation_that_revokes_at_its_deadline_keeps_one_slot_until_the_job_ran(free: Team) -> None:
    key = (await make_key(free)).key
    deadline = await database.now() + HOUR
    await rotations.start(free.editor, key.id, deadline=deadline, on_deadline=OnDeadline.REVOKE)
    database.freeze(deadline)
    assert await metered(free) == (1, 1)
    await no_room(free)
    await rotations.finish_due(deadline)
    assert await metered(free) == (1, 0)


async def test_a_suspended_pair_still_shares_its_slot(free: Team) -> None:
    run = await begun(free)
    await keys.suspend(free.owner, run.predecessor.id)
    await keys.suspend(free.owner, run.successor.id)
    assert await metered(free) == (1, 1)
    await no_room(free)


async def test_cancelling_and_starting_repeatedly_gains_no_slot(free: Team) -> None:
    key = (await make_key(free)).key
    for _ in range(3):
        run = (await rotations.start(free.editor, key.id)).progress
        assert await metered(free) == (1, 1)
        await rotations.cancel(free.editor, run.rotation.id)
        assert await metered(free) == (1, 0)


async def test_workspaces_over_their_limit_are_reported_to_the_operator(free: Team) -> None:
    run = await begun(free)
    assert await plans.over_limit(Actor.operator()) == []
    database.freeze(run.rotation.deadline)
    ((slug, meter),) = await plans.over_limit(Actor.operator())
    assert (slug, meter.used) == (free.slug, 2)


async def test_concurrent_ends_and_starts_leave_no_key_in_two_rotations(db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    for _ in range(5):
        run = await begun(team)
        attempts = [
            rotations.complete(team.editor, run.rotation.id, force=True),
            rotations.cancel(team.editor, run.rotation.id),
            keys.revoke(team.owner, run.successor.id, Reason.OTHER),
            rotations.start(team.editor, run.successor.id),
            rotations.start(team.editor, run.predecessor.id),
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert all(not isinstance(result, Exception) or isinstance(result, Conflict) for result in results), results
        held = [
            key.id
            for each in await rotations.open_rotations(await seen(team.viewer, team.slug))
            for key in (each.predecessor, each.successor)
        ]
        assert len(held) == len(set(held))
