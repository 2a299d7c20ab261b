"""Use cases of rotations. Every function takes the actor first; every change writes audit entries.

`start`, `several`, `preview`, `finish`, `replace` and `queries` hold the other use cases; all are exported from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app import clock
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict, NotFound, RotationNotReady
from app.rotations import events, store, validation
from app.rotations.finish import anything_due, cancel_in, complete_in, finish_due, load, store_derived_end
from app.rotations.impact import Impact, Verdict, impact, impacts, verdict
from app.rotations.preview import Preview, check
from app.rotations.queries import (
    WHAT,
    Relatives,
    Succession,
    count,
    get,
    lineages,
    of_key,
    of_keys,
    open_rotations,
    page,
    relatives,
    require,
    reread,
    succession,
    version_mark,
    watched,
    workspace_of,
)
from app.rotations.replace import replace_unused
from app.rotations.rotation import CallerStatus, Outcome, Progress, State
from app.rotations.several import MOST_AT_ONCE, start_all
from app.rotations.start import Started, start
from app.rotations.validation import DEFAULT_QUIET_SECONDS, RotationOptions
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.usage import caller_service
from app.usage import log as usage_log
from app.versions import require_same, version_of_all

__all__ = [
    "DEFAULT_QUIET_SECONDS",
    "MOST_AT_ONCE",
    "Impact",
    "Preview",
    "Relatives",
    "RotationOptions",
    "Started",
    "Succession",
    "SuccessorInUse",
    "Verdict",
    "anything_due",
    "cancel",
    "check",
    "complete",
    "count",
    "dismiss",
    "extend",
    "finish_due",
    "get",
    "impact",
    "impacts",
    "lineages",
    "of_key",
    "of_keys",
    "open_rotations",
    "page",
    "relatives",
    "replace_unused",
    "require",
    "reread",
    "restore",
    "start",
    "start_all",
    "succession",
    "verdict",
    "version_mark",
    "watched",
]


class SuccessorInUse(Conflict):
    """The new key has callers that cancelling would cut off; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The new key is already in use: its callers would be cut off. Cancel with `force` to do so anyway.")


async def complete(actor: Actor, rotation_id: str, *, force: bool = False, expected: str | None = None) -> Progress:
    """Revokes the predecessor: from the next request on only the successor works. Idempotent.

    Raises Conflict for a cancelled run; RotationNotReady, unless forced, with the callers that would be cut off; Stale if it
    is forced and these are no longer the callers that were seen.
    """
    async with _changing(actor, rotation_id, Action.COMPLETE_ROTATION) as (change, progress):
        if not progress.is_open:
            return _same_end(progress, Outcome.COMPLETED)
        if progress.state is not State.READY and not progress.rotation.is_due(change.now):
            if not force:
                raise RotationNotReady(_why_not_ready(progress), progress.left)
            require_same(expected, progress.left_version)
        return await complete_in(change, progress)


async def cancel(actor: Actor, rotation_id: str, *, force: bool = False, expected: str | None = None) -> Progress:
    """Revokes the successor: the predecessor works as before. Idempotent.

    Raises Conflict for a completed run; SuccessorInUse, unless forced, when the successor has been used; Stale if it is
    forced and its callers are no longer those that were seen.
    """
    async with _changing(actor, rotation_id, Action.CANCEL_ROTATION) as (change, progress):
        if not progress.is_open:
            return _same_end(progress, Outcome.CANCELLED)
        _refuse_due(progress, change.now)
        if await usage_log.lock_use(progress.successor.id) is not None:
            if not force:
                raise SuccessorInUse
            using = await caller_service.of_key(change.access, progress.successor)
            require_same(expected, version_of_all(caller.id for caller in using))
        return await cancel_in(change, progress)


async def extend(actor: Actor, rotation_id: str, deadline: int) -> Progress:
    """Sets a later deadline, in microseconds; never later than 30 days after the start. Raises ValidationFailed, Conflict."""
    async with _changing(actor, rotation_id, Action.EXTEND_ROTATION) as (change, progress):
        _refuse_ended(progress, change.now)
        validation.check_extension(progress.rotation, deadline, change.now)
        if deadline == progress.rotation.deadline:
            return progress
        await store.set_deadline(progress.rotation.id, deadline)
        before, after = clock.rfc3339(progress.rotation.deadline), clock.rfc3339(deadline)
        await audit.record(change, events.EXTENDED, progress.rotation.id, deadline={"before": before, "after": after})
        return await load(change, progress.rotation.id)


async def dismiss(actor: Actor, rotation_id: str, caller_id: str) -> Progress:
    """Dismisses a caller of the predecessor with its whole user-agent family: it need not move. Raises NotFound, Conflict."""
    async with _changing(actor, rotation_id, Action.DISMISS_CALLER) as (change, progress):
        found = _caller(progress, caller_id, change.now)
        if found.dismissed:
            return progress
        await store.dismiss(progress.rotation.id, found.caller.user_agent, change.now, change.actor.name)
        await audit.record(change, events.CALLER_DISMISSED, progress.rotation.id, user_agent=found.caller.user_agent)
        return await load(change, progress.rotation.id)


async def restore(actor: Actor, rotation_id: str, caller_id: str) -> Progress:
    """Undoes the dismissal of a caller's family: it has to move after all. Idempotent. Raises NotFound, Conflict."""
    async with _changing(actor, rotation_id, Action.DISMISS_CALLER) as (change, progress):
        found = _caller(progress, caller_id, change.now)
        if not found.dismissed:
            return progress
        await store.restore(progress.rotation.id, found.caller.user_agent)
        await audit.record(change, events.CALLER_RESTORED, progress.rotation.id, user_agent=found.caller.user_agent)
        return await load(change, progress.rotation.id)


def _caller(progress: Progress, caller_id: str, now: int) -> CallerStatus:
    """A caller of an open rotation's predecessor."""
    _refuse_ended(progress, now)
    found = next((moving for moving in progress.callers if moving.caller.id == caller_id), None)
    if found is None:
        raise NotFound("caller")
    return found


def _same_end(progress: Progress, wanted: Outcome) -> Progress:
    if progress.rotation.ending is None or progress.rotation.ending.outcome is not wanted:
        raise Conflict(f"This rotation is {progress.state.lower()}, which is final.")
    return progress


def _refuse_ended(progress: Progress, now: int) -> None:
    if not progress.is_open:
        raise Conflict(f"This rotation is {progress.state.lower()}, which is final.")
    _refuse_due(progress, now)


def _refuse_due(progress: Progress, now: int) -> None:
    if progress.rotation.is_due(now):
        raise Conflict("Its deadline has passed: the old key is being revoked right now.")


def _why_not_ready(progress: Progress) -> str:
    if progress.left:
        callers = f"{len(progress.left)} callers have" if len(progress.left) > 1 else "One caller has"
        return f"{callers} not moved to the new key and would be cut off. Complete with `force` to complete it anyway."
    if progress.ready_at is None:
        return "The new key has not been used, or is suspended. Complete with `force` to revoke the old one anyway."
    return f"The old key was used recently: it counts as unused from {clock.rfc3339(progress.ready_at)} on. `force` does not wait."


@contextlib.asynccontextmanager
async def _changing(actor: Actor, rotation_id: str, action: Action) -> AsyncIterator[tuple[Change, Progress]]:
    """The transaction in which a rotation changes, and its progress as read under the lock."""
    workspace_id = await workspace_of(rotation_id)
    async with contextlib.AsyncExitStack() as stack:
        try:
            change = await stack.enter_async_context(tenancy.changing(actor, None, action, workspace_id=workspace_id))
        except NotFound:
            raise NotFound(WHAT) from None
        await usage_log.count_in_change()
        yield change, await store_derived_end(change, await load(change, rotation_id))
