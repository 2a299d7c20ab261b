"""Replacing an unused key whose secret was lost: completely or not at all."""

from __future__ import annotations

import asyncio

import pytest

from app import clock, database
from app.access.actor import Actor
from app.errors import Conflict, NotAllowed
from app.journal import file as journal
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason, Status
from app.plans import service as plans
from app.rotations import service as rotations
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen


async def use(key_id: str) -> None:
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", await database.now(), key_id)


async def test_an_equal_key_replaces_it_and_the_lost_one_is_revoked_and_in_the_journal(team: Team) -> None:
    lost = (await make_key(team, expires_at=await database.now() + clock.DAY, allowed_ips=("203.0.113.0/24",))).key
    made = await rotations.replace_unused(team.editor, lost.id)
    assert made.secret is not None and made.key.id != lost.id
    assert (made.key.name, made.key.permissions, made.key.allowed_ips) == (lost.name, lost.permissions, lost.allowed_ips)
    assert (made.key.expires_at, made.key.lifetime_started_at) == (lost.expires_at, lost.lifetime_started_at)
    assert (await keys.get(team.owner, lost.id)).status(await database.now()) is Status.REVOKED
    assert lost.id in journal.read(journal.current().path)


async def test_it_needs_no_free_slot_even_above_the_limit_of_a_smaller_plan(db: None) -> None:
    small = await make_team("small", plan="starter")
    first = (await make_key(small)).key
    await make_key(small)
    await plans.change_plan(Actor.operator(), small.slug, "free")
    await rotations.replace_unused(small.owner, first.id)
    meter = await plans.meter(await seen(small.owner, small.slug))
    assert (meter.limit, meter.used) == (1, 2)


@pytest.mark.parametrize("why", ["used", "imported", "suspended", "revoked", "expired", "predecessor", "not offered"])
async def test_a_key_that_cannot_be_replaced_is_not_changed(team: Team, why: str) -> None:
    now = await database.now()
    key = (await make_key(team, expires_at=now + clock.DAY)).key
    if why == "used":
        await use(key.id)
    elif why == "imported":
        async with database.transaction():
            await key_store.add_imported(key.id, "csv", "1", "SHA-256", now)
    elif why == "suspended":
        await keys.suspend(team.owner, key.id)
    elif why == "revoked":
        await keys.revoke(team.owner, key.id, Reason.OTHER)
    elif why == "expired":
        database.freeze(now + clock.DAY)
    elif why == "predecessor":
        await rotations.start(team.owner, key.id)
    else:
        async with database.transaction():
            await database.fetch("UPDATE api_key SET permissions = 'pdf.gone' WHERE id = {}", key.id)
    before = [await keys.get(team.owner, key.id), await keys.count(await seen(team.owner, team.slug))]
    with pytest.raises(Conflict):
        await rotations.replace_unused(team.owner, key.id)
    assert [await keys.get(team.owner, key.id), await keys.count(await seen(team.owner, team.slug))] == before


async def test_the_successor_of_an_open_rotation_is_replaced_within_the_rotation(team: Team) -> None:
    started = await rotations.start(team.owner, (await make_key(team)).key.id)
    made = await rotations.replace_unused(team.owner, started.progress.successor.id)
    run = await rotations.get(team.owner, started.progress.rotation.id)
    assert run.is_open and run.successor.id == made.key.id
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 1


async def test_concurrent_replacements_create_one_key(team: Team) -> None:
    key = (await make_key(team)).key
    made = await asyncio.gather(*(rotations.replace_unused(team.owner, key.id) for _ in range(8)))
    assert len({each.key.id for each in made}) == 1 and sum(each.secret is not None for each in made) == 1
    with pytest.raises(Conflict):
        await rotations.replace_unused(team.editor, key.id)
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 1


async def test_it_requires_the_right_to_create_keys(team: Team) -> None:
    with pytest.raises(NotAllowed):
        await rotations.replace_unused(team.viewer, (await make_key(team)).key.id)
