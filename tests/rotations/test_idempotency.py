"""After a lost answer a request can be repeated, and never creates two successors."""

from __future__ import annotations

import asyncio

import pytest

from app import clock, database
from app.clock import DAY, HOUR, SECOND
from app.errors import Conflict, ValidationFailed
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason, Status
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.rotations.rotation import State
from app.rotations.service import Started
from app.usage import log as usage_log
from app.usage.counters import Use
from app.verification import preview
from app.verification.verdict import Code
from tests.conftest import Team, make_key
from tests.support.access import at, seen
from tests.support.callers import use


async def start(team: Team, key_id: str, repeat: str = "deploy-7", **changes: object) -> Started:
    """Starts a rotation; a client that has lost the answer passes `replace_unused`."""
    return await rotations.start(team.editor, key_id, idempotency_key=repeat, **changes)  # type: ignore[arg-type]


async def test_a_repeat_while_the_answer_may_arrive_revokes_nothing_and_says_when_to_retry(team: Team) -> None:
    key, born = (await make_key(team)).key, await database.now()
    database.freeze(born)
    first = await start(team, key.id)
    for passed, left in ((0, 30), (1, 30), (29 * SECOND, 1), (30 * SECOND - 1, 1)):
        database.freeze(born + passed)
        again = await start(team, key.id)
        assert (again.secret, again.retry_after) == (None, left)
        assert again.progress.successor == first.progress.successor
    assert first.retry_after is None and await keys.count(await seen(team.viewer, team.slug)) == 2
    database.freeze(born + 30 * SECOND)
    again = await start(team, key.id)
    assert again.secret is not None and again.retry_after is None
    # The answer with the replacement may still arrive now.
    assert (await start(team, key.id)).retry_after == 30


async def test_a_repeat_is_the_same_rotation_with_another_secret_while_the_first_was_never_used(team: Team) -> None:
    key = (await make_key(team)).key
    first, again = await start(team, key.id), await start(team, key.id, replace_unused=True)
    assert again.progress.rotation.id == first.progress.rotation.id
    assert first.secret is not None and again.secret is not None and again.secret != first.secret
    lost, new = first.progress.successor, again.progress.successor
    assert new.id != lost.id
    assert (new.name, new.permissions, new.lifetime_started_at) == (lost.name, lost.permissions, key.created_at)
    revocation = (await keys.get(team.viewer, lost.id)).revocation
    assert revocation is not None and revocation.reason is Reason.NO_LONGER_NEEDED
    assert lost.id in journal.read(journal.current().path)
    assert again.progress.state is State.ISSUED
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 1
    assert await rotations.of_key(*await at(team.viewer, lost.id)) is None
    assert [found.id for found in (await rotations.succession(*await at(team.viewer, key.id))).line] == [key.id, new.id]


async def test_once_the_successor_was_used_a_repeat_returns_no_secret_and_changes_nothing(team: Team) -> None:
    key = (await make_key(team)).key
    first = await start(team, key.id)
    await use(first.progress.successor.id)
    again = await start(team, key.id)
    assert again.secret is None
    assert (again.progress.rotation, again.progress.successor.id) == (first.progress.rotation, first.progress.successor.id)
    assert await keys.count(await seen(team.viewer, team.slug)) == 2


@pytest.mark.parametrize("counted", [True, False])
async def test_a_use_that_is_being_counted_is_waited_for(team: Team, *, counted: bool) -> None:
    key = (await make_key(team)).key
    first = await start(team, key.id)
    successor = first.progress.successor.id
    async with database.transaction():
        now = await database.now()
        if counted:
            await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", now, successor)
        else:
            slot = (successor, clock.hour_of(now), "", "VALID", "", "")
            await usage_log.current().append_in_transaction([Use(*slot, 1, now, now, None)])
        # A separate task does not inherit this transaction: it must wait for it.
        waiting = asyncio.create_task(_outside(team, key.id))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
    assert (await waiting).secret is None


async def _outside(team: Team, key_id: str) -> Started:
    database.engine().current_transaction.set(None)  # type: ignore[arg-type]
    return await start(team, key_id, replace_unused=True)


async def test_thirty_concurrent_repeats_create_one_rotation_one_successor_and_one_secret(team: Team) -> None:
    key = (await make_key(team)).key
    results = await asyncio.gather(*(start(team, key.id) for _ in range(30)))
    assert len({result.progress.rotation.id for result in results}) == 1
    (told,) = [result for result in results if result.secret is not None]
    assert {result.progress.successor.id for result in results} == {told.progress.successor.id}
    assert await keys.count(await seen(team.viewer, team.slug)) == 2
    assert (await keys.get(team.viewer, told.progress.successor.id)).status(await database.now()) is Status.ACTIVE
    assert (await preview.ask(team.owner, team.slug, preview.PreviewRequest(told.secret or ""))).code is Code.VALID


async def test_many_concurrent_lost_answers_leave_one_rotation_with_one_live_successor(team: Team) -> None:
    key = (await make_key(team)).key
    results = await asyncio.gather(*(start(team, key.id, replace_unused=True) for _ in range(15)))
    assert len({result.progress.rotation.id for result in results}) == 1
    now = await database.now()
    page = await keys.page(await seen(team.viewer, team.slug), Window(100))
    living = [found.id for found in page.items if found.status(now) is Status.ACTIVE]
    run = await rotations.of_key(*await at(team.viewer, key.id))
    assert run is not None and sorted(living) == sorted([key.id, run.successor.id])
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 1


async def test_another_input_or_another_idempotency_key_is_a_conflict(team: Team) -> None:
    key, other = (await make_key(team)).key, (await make_key(team)).key
    await start(team, key.id)
    for attempt in (
        start(team, key.id, quiet_seconds=7),
        start(team, other.id),
        start(team, key.id, "deploy-8"),
        rotations.start(team.owner, key.id, idempotency_key="deploy-7"),
        rotations.start(team.editor, key.id),
    ):
        with pytest.raises(Conflict):
            await attempt
    assert await keys.count(await seen(team.viewer, team.slug)) == 3
    for bad in ("", "x" * 201):
        with pytest.raises(ValidationFailed):
            await start(team, other.id, bad)


async def test_a_request_is_recognized_for_24_hours_and_while_its_rotation_is_open(team: Team) -> None:
    key, born = (await make_key(team)).key, await database.now()
    first = await start(team, key.id, deadline=born + 20 * DAY)
    await use(first.progress.successor.id, at=born)
    database.freeze(born + 10 * DAY)
    assert (await start(team, key.id, deadline=born + 20 * DAY)).progress.rotation.id == first.progress.rotation.id
    await rotations.cancel(team.editor, first.progress.rotation.id, force=True)
    second = await start(team, key.id)
    assert second.progress.rotation.id != first.progress.rotation.id
    await rotations.cancel(team.editor, second.progress.rotation.id)
    database.freeze(born + 10 * DAY + 23 * HOUR)
    told = await start(team, key.id)
    assert (told.progress.rotation.id, told.secret, told.progress.state) == (second.progress.rotation.id, None, State.CANCELLED)
    database.freeze(born + 11 * DAY + HOUR)
    assert (await start(team, key.id)).progress.rotation.id not in (first.progress.rotation.id, second.progress.rotation.id)


async def test_a_repeat_does_not_undo_restrictions_or_suspension_of_the_successor(team: Team) -> None:
    key = (await make_key(team)).key
    first = await start(team, key.id)
    await keys.update(team.editor, first.progress.successor.id, {"permissions": ("pdf.read",), "name": "Narrow"})
    again = await start(team, key.id, replace_unused=True)
    assert (again.progress.successor.permissions, again.progress.successor.name) == (("pdf.read",), "Narrow")
    for suspended in (again.progress.successor.id, key.id):
        await keys.suspend(team.owner, suspended)
        told = await start(team, key.id)
        assert (told.secret, told.progress.successor.id) == (None, again.progress.successor.id)
        await keys.resume(team.owner, suspended)


async def test_a_replaced_successor_never_looks_like_a_cancelled_rotation(team: Team) -> None:
    key = (await make_key(team)).key
    run_id = (await start(team, key.id)).progress.rotation.id

    async def replace_twenty_times() -> None:
        for _ in range(20):
            await start(team, key.id, replace_unused=True)

    replacing, seen = asyncio.create_task(replace_twenty_times()), set()
    while not replacing.done():
        seen.add((await rotations.get(team.viewer, run_id)).state)
    await replacing
    assert seen == {State.ISSUED}


async def test_a_rotation_replaces_its_successor_at_most_twenty_times(team: Team) -> None:
    key = (await make_key(team)).key
    first = await start(team, key.id)
    for _ in range(20):
        last = await start(team, key.id, replace_unused=True)
        assert last.secret is not None
    before = await keys.count(await seen(team.viewer, team.slug))
    for attempt in (start(team, key.id, replace_unused=True), rotations.replace_unused(team.editor, last.progress.successor.id)):
        with pytest.raises(Conflict, match="20 times"):
            await attempt
    assert await keys.count(await seen(team.viewer, team.slug)) == before == 22
    assert (await start(team, key.id)).progress.successor == last.progress.successor
    await rotations.cancel(team.editor, first.progress.rotation.id)
    assert (await start(team, key.id, "another")).secret is not None
