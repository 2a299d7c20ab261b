"""What can be done with rotations. Every function takes who asks first; every change leaves its entries in the audit log.

How they begin is in `starting`, how they end in `ending`, looking at them in `reading`; all can be reached from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app import clock
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, NotFound, RotationNotReady
from app.keys import store as key_store
from app.rotations import rules, store
from app.rotations.ending import anything_due, as_stored, cancel_in, complete_in, finish_due, write_down
from app.rotations.impact import Impact, Verdict, impact, impacts
from app.rotations.reading import (
    WHAT,
    Relatives,
    RunPage,
    again,
    count,
    get,
    lineage,
    mark,
    of_key,
    of_keys,
    open_runs,
    page,
    relatives,
    require,
    workspace_of,
)
from app.rotations.replacing import replace_unused
from app.rotations.rotation import Outcome, Progress, State
from app.rotations.rules import DEFAULT_QUIET_SECONDS
from app.rotations.starting import Started, start
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.usage import callers
from app.versions import require_same, version_of_all

__all__ = [
    "DEFAULT_QUIET_SECONDS",
    "Impact",
    "Relatives",
    "RunPage",
    "Started",
    "Verdict",
    "again",
    "anything_due",
    "cancel",
    "complete",
    "count",
    "dismiss",
    "extend",
    "finish_due",
    "get",
    "impact",
    "impacts",
    "lineage",
    "mark",
    "of_key",
    "of_keys",
    "open_runs",
    "page",
    "relatives",
    "replace_unused",
    "require",
    "start",
]


async def complete(actor: Actor, rotation_id: str, *, force: bool = False, seen: str | None = None) -> Progress:
    """Revokes the predecessor: from the next request on only the successor works. Repeated, it answers the same.

    Raises Conflict for a cancelled run; RotationNotReady, unless forced, while the evidence is not there: with the callers
    that would be cut off; Stale if it is forced and these are no longer the callers that were seen.
    """
    async with _changing(actor, rotation_id, Action.COMPLETE_ROTATION) as (change, run):
        if not run.is_open:
            return _same_end(run, Outcome.COMPLETED)
        if run.state is not State.READY and not run.rotation.is_due(change.now):
            if not force:
                raise RotationNotReady(_why_not_ready(run), run.left)
            require_same(seen, run.left_version)
        return await complete_in(change, run)


async def cancel(actor: Actor, rotation_id: str, *, force: bool = False, seen: str | None = None) -> Progress:
    """Revokes the successor: the predecessor goes on as before. Repeated, it answers the same.

    Raises Conflict for a completed run and, unless forced, when the successor has been used; Stale if it is forced and its
    callers are no longer those that were seen.
    """
    async with _changing(actor, rotation_id, Action.CANCEL_ROTATION) as (change, run):
        if not run.is_open:
            return _same_end(run, Outcome.CANCELLED)
        _refuse_due(run, change.now)
        if await key_store.lock_use(run.successor.id) is not None:
            if not force:
                raise Conflict("The new key has been used already: who uses it would be cut off. Cancel with `force` to do it.")
            using = (await callers.of_keys([run.successor.id]))[run.successor.id]
            require_same(seen, version_of_all(caller.id for caller in using))
        return await cancel_in(change, run)


async def extend(actor: Actor, rotation_id: str, deadline: int) -> Progress:
    """A later deadline, in microseconds; never later than 30 days after the start. Raises ValidationFailed, Conflict."""
    async with _changing(actor, rotation_id, Action.EXTEND_ROTATION) as (change, run):
        _refuse_ended(run, change.now)
        rules.check_extension(run.rotation, deadline, change.now)
        if deadline == run.rotation.deadline:
            return run
        await store.set_deadline(run.rotation.id, deadline)
        before, after = clock.rfc3339(run.rotation.deadline), clock.rfc3339(deadline)
        await audit.record(change, "rotation.extended", run.rotation.id, deadline={"before": before, "after": after})
        return await as_stored(change, run.rotation.id)


async def dismiss(actor: Actor, rotation_id: str, caller_id: str) -> Progress:
    """Says that a caller of the predecessor, with its whole user-agent family, need not move. Raises NotFound, Conflict."""
    async with _changing(actor, rotation_id, Action.DISMISS_CALLER) as (change, run):
        _refuse_ended(run, change.now)
        found = next((moving for moving in run.callers if moving.caller.id == caller_id), None)
        if found is None:
            raise NotFound("caller")
        if found.dismissed:
            return run
        await store.dismiss(run.rotation.id, found.caller.user_agent, change.now, change.actor.name)
        await audit.record(change, "rotation.caller_dismissed", run.rotation.id, user_agent=found.caller.user_agent)
        return await as_stored(change, run.rotation.id)


def _same_end(run: Progress, wanted: Outcome) -> Progress:
    if run.rotation.ending is None or run.rotation.ending.outcome is not wanted:
        raise Conflict(f"This rotation is {run.state.lower()}, which is final.")
    return run


def _refuse_ended(run: Progress, now: int) -> None:
    if not run.is_open:
        raise Conflict(f"This rotation is {run.state.lower()}, which is final.")
    _refuse_due(run, now)


def _refuse_due(run: Progress, now: int) -> None:
    if run.rotation.is_due(now):
        raise Conflict("Its deadline has passed: the old key is being revoked at this moment.")


def _why_not_ready(run: Progress) -> str:
    if run.left:
        callers = f"{len(run.left)} callers have" if len(run.left) > 1 else "One caller has"
        return f"{callers} not moved to the new key and would be cut off. Complete with `force` to do it all the same."
    if run.ready_at is None:
        return "The new key has not been used, or is suspended. Complete with `force` to revoke the old one all the same."
    return f"The old key was used until lately: it counts as silent from {clock.rfc3339(run.ready_at)} on. `force` does not wait."


@contextlib.asynccontextmanager
async def _changing(actor: Actor, rotation_id: str, action: Action) -> AsyncIterator[tuple[Change, Progress]]:
    """The transaction in which a run changes, and where it stood when its workspace was locked."""
    workspace_id = await workspace_of(rotation_id)
    async with contextlib.AsyncExitStack() as stack:
        try:
            change = await stack.enter_async_context(tenancy.changing(actor, None, action, workspace_id=workspace_id))
        except NotFound:
            raise NotFound(WHAT) from None
        yield change, await write_down(change, await as_stored(change, rotation_id))
