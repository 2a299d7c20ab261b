"""The use cases of rotations, on the database under test."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from app import catalogue, database, ids, runtime
from app.access.actor import Actor, ActorKind
from app.audit import service as audit
from app.clock import DAY, HOUR, MINUTE
from app.errors import Conflict, NotAllowed, NotFound, RotationNotReady, ValidationFailed
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason, Status
from app.paging import Window
from app.rotations import service as rotations
from app.rotations.rotation import ROTATION_ID, OnDeadline, Outcome, Progress, State
from app.usage import caller_service
from app.usage import service as usage
from app.usage.caller import CALLER_ID
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key, make_team
from tests.support.access import at, seen
from tests.support.callers import use


def ending(run: Progress) -> tuple[Outcome, ActorKind]:
    assert run.rotation.ending is not None
    return run.rotation.ending.outcome, run.rotation.ending.by.kind


async def actions(team: Team, target: str) -> list[str]:
    """The audit actions of an object, oldest first."""
    return [entry.action for entry in reversed(await audit.about(await seen(team.viewer, team.slug), target))]


def journalled(key_id: str) -> list[str]:
    """The reasons of a key's lines in the journal."""
    path = journal.current().path
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")] if path.exists() else []
    return [line["reason"] for line in lines if line.get("key") == key_id]


async def line_of(team: Team, key_id: str) -> list[str]:
    """The ids of a key's lineage, which is the same read alone and with others."""
    access, key = await at(team.viewer, key_id)
    found = (await rotations.succession(access, key)).line
    assert await rotations.lineages(access, [key]) == {key_id: found}
    return [each.id for each in found]


async def test_a_successor_is_like_its_predecessor_and_both_work(team: Team) -> None:
    now = await database.now()
    changes: dict[str, Any] = {"allowed_ips": ("203.0.113.0/24",), "expires_at": now + 60 * DAY}
    old = (await make_key(team, "Printing", **changes)).key
    started = await rotations.start(team.editor, old.id)
    run, new = started.progress.rotation, started.progress.successor
    assert started.secret is not None and started.secret.startswith(new.prefix)
    assert (new.name, new.environment, new.permissions, new.allowed_ips, new.expires_at) == (
        old.name,
        old.environment,
        old.permissions,
        old.allowed_ips,
        old.expires_at,
    )
    assert (new.id != old.id, new.line_started_at, new.created_at) == (True, old.created_at, run.started_at)
    assert (run.predecessor_id, run.successor_id, run.started_by) == (old.id, new.id, team.editor.ref)
    assert (run.deadline, run.quiet_period, run.on_deadline) == (run.started_at + 7 * DAY, HOUR, OnDeadline.KEEP_AND_ALERT)
    assert started.progress.state is State.ISSUED
    for key_id in (old.id, new.id):
        assert (await keys.get(team.viewer, key_id)).status(now) is Status.ACTIVE
        assert await rotations.of_key(*await at(team.viewer, key_id)) == started.progress
    assert await rotations.get(team.viewer, run.id) == started.progress
    assert await actions(team, run.id) == ["rotation.started"]
    assert await actions(team, new.id) == ["key.created"]


async def test_all_states_from_issued_to_completed(team: Team) -> None:
    old = (await make_key(team)).key
    start = await database.now()
    for family in ("curl/8", "node/22", "java/21"):
        await use(old.id, user_agent=family, at=start - HOUR)
    run = (await rotations.start(team.editor, old.id)).progress
    new, run_id = run.successor, run.rotation.id
    for family, expected in (("curl/9", State.DRAINING), ("node/23", State.DRAINING)):
        await use(new.id, user_agent=family)
        assert (await rotations.get(team.viewer, run_id)).state is expected
    with pytest.raises(RotationNotReady) as refused:
        await rotations.complete(team.editor, run_id)
    assert [moving.caller.user_agent for moving in refused.value.callers] == ["java"]
    assert (await keys.get(team.viewer, old.id)).revocation is None
    await use(new.id, user_agent="java/22")
    await use(old.id, user_agent="java/21")
    with pytest.raises(RotationNotReady) as refused:
        await rotations.complete(team.editor, run_id)
    assert refused.value.callers == ()
    quiet = (await rotations.get(team.viewer, run_id)).ready_at
    assert quiet is not None
    database.freeze(quiet)
    assert (await rotations.get(team.viewer, run_id)).state is State.READY
    done = await rotations.complete(team.editor, run_id)
    assert (done.state, ending(done)) == (State.COMPLETED, (Outcome.COMPLETED, ActorKind.USER))
    revocation = (await keys.get(team.viewer, old.id)).revocation
    assert revocation is not None and (revocation.reason, revocation.at) == (Reason.ROTATED, quiet)
    assert journalled(old.id) == ["ROTATED"]
    assert await rotations.complete(team.owner, run_id) == done
    assert await actions(team, run_id) == ["rotation.started", "rotation.completed"]
    assert await actions(team, old.id) == ["key.created", "key.revoked"]
    with pytest.raises(Conflict):
        await rotations.cancel(team.owner, run_id, force=True)


async def test_completing_early_needs_force_and_says_why(team: Team) -> None:
    old = (await make_key(team)).key
    run_id = (await rotations.start(team.editor, old.id)).progress.rotation.id
    with pytest.raises(RotationNotReady, match="has not been used"):
        await rotations.complete(team.editor, run_id)
    assert (await rotations.complete(team.editor, run_id, force=True)).state is State.COMPLETED


async def test_cancelling_revokes_the_successor_and_a_used_one_only_by_force(team: Team) -> None:
    old = (await make_key(team)).key
    first = (await rotations.start(team.editor, old.id)).progress
    gone = await rotations.cancel(team.editor, first.rotation.id)
    assert (gone.state, ending(gone)) == (State.CANCELLED, (Outcome.CANCELLED, ActorKind.USER))
    assert await rotations.cancel(team.owner, first.rotation.id) == gone
    assert journalled(first.successor.id) == ["NO_LONGER_NEEDED"]
    assert (await keys.get(team.viewer, old.id)).revocation is None
    with pytest.raises(Conflict):
        await rotations.complete(team.owner, first.rotation.id, force=True)

    second = (await rotations.start(team.editor, old.id)).progress
    await use(second.successor.id)
    with pytest.raises(Conflict, match="already in use"):
        await rotations.cancel(team.editor, second.rotation.id)
    assert (await keys.get(team.viewer, second.successor.id)).revocation is None
    assert (await rotations.cancel(team.editor, second.rotation.id, force=True)).state is State.CANCELLED


@pytest.mark.parametrize("which", ["predecessor", "successor"])
async def test_revoking_either_key_manually_ends_the_rotation_and_the_next_start_stores_it(team: Team, which: str) -> None:
    old = (await make_key(team)).key
    run = (await rotations.start(team.editor, old.id)).progress
    await keys.revoke(team.owner, getattr(run, which).id, Reason.OTHER)
    expected = {"predecessor": State.COMPLETED, "successor": State.CANCELLED}[which]
    found = await rotations.get(team.viewer, run.rotation.id)
    assert (found.state, ending(found)[1]) == (expected, ActorKind.SYSTEM)
    assert await actions(team, run.rotation.id) == ["rotation.started"]
    left = run.successor if which == "predecessor" else run.predecessor
    await rotations.start(team.editor, left.id)
    assert await actions(team, run.rotation.id) == ["rotation.started", f"rotation.{expected.lower()}"]
    newest = (await audit.about(await seen(team.viewer, team.slug), run.rotation.id))[0]
    assert newest.actor.kind is ActorKind.SYSTEM
    assert await rotations.get(team.viewer, run.rotation.id) == found
    assert await audit.first_broken(team.workspace.id) is None


async def test_later_changes_of_the_old_key_do_not_affect_the_successor(team: Team) -> None:
    now = await database.now()
    old = (await make_key(team, expires_at=now + DAY)).key
    run = (await rotations.start(team.editor, old.id)).progress
    await keys.update(team.editor, run.successor.id, {"expires_at": now + 300 * DAY})
    database.freeze(now + DAY)
    found = await rotations.get(team.viewer, run.rotation.id)
    assert found.state is State.COMPLETED
    assert found.successor.status(now + DAY) is Status.ACTIVE


async def test_a_rotation_never_extends_a_lifetime(team: Team) -> None:
    born = await database.now()
    database.freeze(born)
    last = born + 90 * DAY
    old = (await make_key(team, environment="temporary", permissions=("pdf.read",), expires_at=born + 30 * DAY)).key
    for step in (1, 2):
        database.freeze(born + step * 10 * DAY)
        run = (await rotations.start(team.editor, old.id)).progress
        assert run.successor.expires_at == old.expires_at
        await rotations.complete(team.editor, run.rotation.id, force=True)
        old = run.successor
        assert old.lifetime_started_at == born
    with pytest.raises(ValidationFailed) as refused:
        await keys.update(team.editor, old.id, {"expires_at": last + 1})
    assert [(field.field, field.code) for field in refused.value.fields] == [("expiresAt", "TOO_LATE")]
    assert (await keys.update(team.editor, old.id, {"expires_at": last})).expires_at == last


async def test_only_an_active_key_is_rotated_and_the_refusal_says_why(team: Team) -> None:
    now = await database.now()
    suspended, revoked = (await make_key(team)).key, (await make_key(team)).key
    expired = (await make_key(team, expires_at=now + HOUR)).key
    await keys.suspend(team.owner, suspended.id)
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    database.freeze(now + HOUR)
    for key, word in ((suspended, "suspended"), (revoked, "revoked"), (expired, "expired")):
        with pytest.raises(Conflict, match=word):
            await rotations.start(team.editor, key.id)
    assert await rotations.count(await seen(team.viewer, team.slug)) == 0
    await keys.resume(team.owner, suspended.id)
    await rotations.start(team.editor, suspended.id)


async def test_names_removed_from_the_catalogue_are_not_copied(team: Team) -> None:
    both = (await make_key(team, permissions=("pdf.read", "template.read"))).key
    gone = (await make_key(team, permissions=("template.read",))).key
    known = catalogue.current()
    smaller = replace(known, permissions=MappingProxyType({"pdf.read": known.permission("pdf.read")}))
    runtime.put(smaller)
    assert (await rotations.start(team.editor, both.id)).progress.successor.permissions == ("pdf.read",)
    with pytest.raises(Conflict, match="no longer offered"):
        await rotations.start(team.editor, gone.id)


async def test_options_are_checked_before_anything_is_created(team: Team) -> None:
    old = (await make_key(team)).key
    with pytest.raises(ValidationFailed):
        await rotations.start(team.editor, old.id, deadline=1, quiet_seconds=-1)
    assert await keys.count(await seen(team.viewer, team.slug)) == 1


async def test_extending_moves_the_deadline_and_the_audit_log_shows_from_where(team: Team) -> None:
    run = (await rotations.start(team.editor, (await make_key(team)).key.id)).progress
    later = run.rotation.started_at + 30 * DAY
    assert (await rotations.extend(team.editor, run.rotation.id, later)).rotation.deadline == later
    assert (await rotations.extend(team.editor, run.rotation.id, later)).rotation.deadline == later
    for deadline in (later - 1, later + 1):
        with pytest.raises(ValidationFailed):
            await rotations.extend(team.editor, run.rotation.id, deadline)
    assert await actions(team, run.rotation.id) == ["rotation.started", "rotation.extended"]
    await rotations.cancel(team.editor, run.rotation.id)
    with pytest.raises(Conflict):
        await rotations.extend(team.editor, run.rotation.id, later)


async def test_dismissing_a_caller_dismisses_its_family_once(team: Team) -> None:
    old = (await make_key(team)).key
    await use(old.id, "203.0.113.9", "nagios/1")
    await use(old.id, "198.51.100.9", "nagios/2")
    await use(old.id, "198.51.100.9", "node/2")
    run = (await rotations.start(team.editor, old.id)).progress
    nagios = next(moving.caller for moving in run.callers if moving.caller.user_agent == "nagios")
    found = await rotations.dismiss(team.editor, run.rotation.id, nagios.id)
    assert sorted((moving.caller.user_agent, moving.dismissed) for moving in found.callers) == [
        ("nagios", True),
        ("nagios", True),
        ("node", False),
    ]
    assert await rotations.dismiss(team.editor, run.rotation.id, nagios.id) == found
    assert await actions(team, run.rotation.id) == ["rotation.started", "rotation.caller_dismissed"]
    for caller_id in (ids.new(CALLER_ID), "", run.rotation.id):
        for change in (rotations.dismiss, rotations.restore):
            with pytest.raises(NotFound):
                await change(team.editor, run.rotation.id, caller_id)


async def test_restoring_a_caller_undoes_the_dismissal_of_its_family_once(team: Team) -> None:
    old = (await make_key(team)).key
    await use(old.id, "203.0.113.9", "nagios/1")
    await use(old.id, "198.51.100.9", "nagios/2")
    run = (await rotations.start(team.editor, old.id)).progress
    one, other = (moving.caller.id for moving in run.callers)
    assert await rotations.restore(team.editor, run.rotation.id, one) == run
    await rotations.dismiss(team.editor, run.rotation.id, one)
    found = await rotations.restore(team.editor, run.rotation.id, other)
    assert [moving.is_left for moving in found.callers] == [True, True]
    assert await rotations.restore(team.editor, run.rotation.id, one) == found
    expected = ["rotation.started", "rotation.caller_dismissed", "rotation.caller_restored"]
    assert await actions(team, run.rotation.id) == expected
    await rotations.cancel(team.editor, run.rotation.id)
    with pytest.raises(Conflict):
        await rotations.restore(team.editor, run.rotation.id, one)


async def test_at_its_deadline_a_rotation_does_what_was_chosen(team: Team) -> None:
    first, second = (await make_key(team)).key, (await make_key(team)).key
    deadline = await database.now() + DAY
    kept = (await rotations.start(team.editor, first.id, deadline=deadline)).progress
    ends = (await rotations.start(team.editor, second.id, deadline=deadline, on_deadline=OnDeadline.REVOKE)).progress
    database.freeze(deadline - 1)
    assert not await rotations.anything_due(deadline - 1)
    assert await rotations.finish_due(deadline - 1) == []
    database.freeze(deadline)
    assert await rotations.anything_due(deadline)
    for refused in (
        rotations.cancel(team.editor, ends.rotation.id),
        rotations.extend(team.editor, ends.rotation.id, deadline + DAY),
    ):
        with pytest.raises(Conflict, match="deadline has passed"):
            await refused
    (done,) = await rotations.finish_due(deadline)
    assert (done.rotation.id, ending(done)) == (ends.rotation.id, (Outcome.COMPLETED, ActorKind.SYSTEM))
    assert (await keys.get(team.viewer, second.id)).revocation is not None
    assert journalled(second.id) == ["ROTATED"]
    assert await rotations.finish_due(deadline) == []
    assert await actions(team, ends.rotation.id) == ["rotation.started", "rotation.completed"]
    found = await rotations.get(team.viewer, kept.rotation.id)
    assert (found.is_open, found.deadline_passed) == (True, True)
    assert (await rotations.extend(team.editor, kept.rotation.id, deadline + DAY)).deadline_passed is False


async def test_the_job_stores_every_derived_end(team: Team) -> None:
    now = await database.now()
    runs = []
    for _ in range(2):
        runs.append((await rotations.start(team.editor, (await make_key(team)).key.id)).progress)
    short = (await make_key(team, expires_at=now + HOUR)).key
    runs.append((await rotations.start(team.editor, short.id)).progress)
    await keys.revoke(team.owner, runs[0].predecessor.id, Reason.OTHER)
    await keys.revoke(team.owner, runs[1].successor.id, Reason.OTHER)
    database.freeze(now + HOUR)
    ended = {run.rotation.id: run.state for run in await rotations.finish_due(now + HOUR)}
    expected = [State.COMPLETED, State.CANCELLED, State.CANCELLED]
    assert ended == {run.rotation.id: state for run, state in zip(runs, expected, strict=True)}
    for run, state in zip(runs, expected, strict=True):
        assert await actions(team, run.rotation.id) == ["rotation.started", f"rotation.{state.lower()}"]
    assert not await rotations.anything_due(now + HOUR)


async def test_a_lineage_is_returned_for_each_of_its_keys_back_to_the_first(team: Team) -> None:
    line = [(await make_key(team)).key]
    for _ in range(3):
        run = (await rotations.start(team.editor, line[-1].id)).progress
        await rotations.complete(team.editor, run.rotation.id, force=True)
        line.append(run.successor)
    astray = (await rotations.start(team.editor, line[-1].id)).progress
    await rotations.cancel(team.editor, astray.rotation.id)
    other = (await make_key(team)).key
    names = [key.id for key in line]
    for key_id in names:
        assert await line_of(team, key_id) == names
    assert await line_of(team, astray.successor.id) == [*names, astray.successor.id]
    assert await line_of(team, other.id) == [other.id]
    found = await rotations.relatives(await seen(team.viewer, team.slug), line)
    assert [relative.predecessor and relative.predecessor.id for relative in found.values()] == [None, *names[:-1]]
    assert [relative.successor and relative.successor.id for relative in found.values()] == [*names[1:], None]


async def test_a_keys_rotation_is_the_open_one_or_else_the_latest(team: Team) -> None:
    old = (await make_key(team)).key
    assert await rotations.of_key(*await at(team.viewer, old.id)) is None
    assert (await rotations.succession(*await at(team.viewer, old.id))).progress is None
    first = (await rotations.start(team.editor, old.id)).progress
    await rotations.cancel(team.editor, first.rotation.id)
    second = (await rotations.start(team.editor, old.id)).progress
    await rotations.complete(team.editor, second.rotation.id, force=True)
    third = (await rotations.start(team.editor, second.successor.id)).progress
    asked = [old, first.successor, second.successor, third.successor]
    found = await rotations.of_keys(await seen(team.viewer, team.slug), asked)
    told = [run.rotation.id for run in found.values()]
    assert told == [second.rotation.id, first.rotation.id, third.rotation.id, third.rotation.id]
    for key in asked:
        assert (await rotations.succession(*await at(team.viewer, key.id))).progress == found[key.id]
    assert [run.rotation.id for run in await rotations.open_rotations(await seen(team.viewer, team.slug))] == [third.rotation.id]


async def test_pages_contain_every_rotation_once_in_both_directions(team: Team) -> None:
    made = []
    for number in range(5):
        run = (await rotations.start(team.editor, (await make_key(team)).key.id)).progress
        made.append(run.rotation.id)
        if number % 2:
            await rotations.cancel(team.editor, run.rotation.id)
    newest = made[::-1]
    forward: list[str] = []
    place = None
    while True:
        page = await rotations.page(await seen(team.viewer, team.slug), Window(2, after=place))
        forward += [run.rotation.id for run in page.items]
        last = page.items[-1].rotation
        place = (last.started_at, last.id)
        if not page.has_next:
            break
    assert forward == newest
    back = await rotations.page(await seen(team.viewer, team.slug), Window(2, before=place, backwards=True))
    assert ([run.rotation.id for run in back.items], back.has_previous, back.has_next) == (newest[2:4], True, True)
    still = await rotations.page(await seen(team.viewer, team.slug), Window(10), open_only=True)
    assert [run.rotation.id for run in still.items] == newest[::2]
    assert (
        await rotations.count(await seen(team.viewer, team.slug)),
        await rotations.count(await seen(team.viewer, team.slug), open_only=True),
    ) == (5, 3)


async def test_another_workspaces_rotation_is_not_found_with_the_same_message_as_an_unknown_one(
    team: Team, other_team: Team
) -> None:
    theirs = (await rotations.start(other_team.owner, (await make_key(other_team)).key.id)).progress
    said = set()
    for rotation_id in (theirs.rotation.id, ids.new(ROTATION_ID), theirs.predecessor.id, "", "rot_\x00"):
        for attempt in (
            rotations.get(team.owner, rotation_id),
            rotations.complete(team.owner, rotation_id, force=True),
            rotations.cancel(team.owner, rotation_id, force=True),
            rotations.extend(team.owner, rotation_id, 1),
            rotations.dismiss(team.owner, rotation_id, ids.new(CALLER_ID)),
            rotations.restore(team.owner, rotation_id, ids.new(CALLER_ID)),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            said.add(refused.value.message)
    assert said == {"There is no such rotation."}
    ours = await seen(team.owner, team.slug)
    for attempt in (
        rotations.start(team.owner, theirs.predecessor.id),
        at(team.owner, theirs.predecessor.id),
        keys.find(ours, theirs.predecessor.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    # Even with another workspace's key, which no transport can have, there is no answer.
    for read in (rotations.of_key, rotations.succession, rotations.impact, usage.of_key, caller_service.of_key):
        with pytest.raises(RuntimeError):
            await read(ours, theirs.predecessor)
    assert await rotations.get(other_team.viewer, theirs.rotation.id) == theirs


async def test_a_viewer_can_read_and_change_nothing(team: Team) -> None:
    old = (await make_key(team)).key
    with pytest.raises(NotAllowed):
        await rotations.start(team.viewer, old.id)
    run = (await rotations.start(team.editor, old.id)).progress
    for attempt in (
        rotations.complete(team.viewer, run.rotation.id, force=True),
        rotations.cancel(team.viewer, run.rotation.id),
        rotations.extend(team.viewer, run.rotation.id, run.rotation.deadline + DAY),
        rotations.dismiss(team.viewer, run.rotation.id, ids.new(CALLER_ID)),
        rotations.restore(team.viewer, run.rotation.id, ids.new(CALLER_ID)),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    assert await rotations.get(team.viewer, run.rotation.id) == run


async def test_in_a_suspended_workspace_a_rotation_can_be_ended_but_not_started(team: Team) -> None:
    old, other = (await make_key(team)).key, (await make_key(team)).key
    run = (await rotations.start(team.editor, old.id)).progress
    await workspaces.suspend(Actor.operator(), team.slug)
    with pytest.raises(NotAllowed):
        await rotations.start(team.editor, other.id)
    assert (await rotations.complete(team.editor, run.rotation.id, force=True)).state is State.COMPLETED


@pytest.mark.parametrize(
    ("ago", "verdict"),
    [(None, "QUIET"), (0, "BUSY"), (HOUR - 1, "BUSY"), (HOUR, "IN_USE"), (30 * DAY - 1, "IN_USE"), (30 * DAY, "QUIET")],
)
async def test_a_key_is_safe_to_revoke_depending_on_its_last_use(team: Team, ago: int | None, verdict: str) -> None:
    key, now = (await make_key(team)).key, await database.now()
    database.freeze(now)
    if ago is not None:
        await use(key.id, at=now - ago)
    found = await rotations.impact(*await at(team.viewer, key.id))
    assert found.verdict == verdict
    assert len(found.callers) == (verdict != "QUIET")


async def test_a_key_that_is_refused_anyway_is_not_reported_as_busy(team: Team) -> None:
    suspended, revoked, expired = [(await make_key(team)).key for _ in range(3)]
    now = await database.now()
    database.freeze(now)
    for key in (suspended, revoked, expired):
        await use(key.id, at=now)
        assert (await rotations.impact(*await at(team.viewer, key.id))).verdict == "BUSY"
    await keys.suspend(team.owner, suspended.id)
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = {} WHERE id = {}", now, expired.id)
    verdicts = [(await rotations.impact(*await at(team.viewer, key.id))).verdict for key in (suspended, revoked, expired)]
    assert verdicts == ["IN_USE", "QUIET", "QUIET"]


async def test_an_impact_counts_whole_hours_of_the_last_hour_day_and_month(team: Team) -> None:
    key, other = (await make_key(team)).key, (await make_key(team)).key
    now = (await database.now()) // HOUR * HOUR + 30 * MINUTE
    database.freeze(now)
    async with database.transaction():
        for hours, requests in ((0, 1), (1, 10), (2, 100), (24, 1_000), (25, 10_000), (720, 100_000), (721, 1_000_000)):
            await database.fetch(
                "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, '', 'VALID', {})",
                *(key.id, now - 30 * MINUTE - hours * HOUR, requests),
            )
    found = await rotations.impact(*await at(team.viewer, key.id))
    assert (found.hour, found.day, found.month) == (11, 1_111, 111_111)
    none = (await rotations.impacts(await seen(team.viewer, team.slug), [key, other]))[other.id]
    assert (none.hour, none.day, none.month, none.callers, none.permissions) == (0, 0, 0, (), ())


async def test_the_usage_of_a_lineage_stays_readable(db: None) -> None:
    team = await make_team()
    old = (await make_key(team)).key
    await use(old.id)
    run = (await rotations.start(team.editor, old.id)).progress
    await rotations.complete(team.editor, run.rotation.id, force=True)
    found = await rotations.get(team.viewer, run.rotation.id)
    assert [moving.caller.requests for moving in found.callers] == [1]
    assert (await keys.get(team.viewer, old.id)).last_used_at is not None
