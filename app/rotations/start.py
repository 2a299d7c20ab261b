"""Starts rotations: creates the successor, and another one when the response with its secret was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app import catalogue, clock, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict
from app.keys import service as keys
from app.keys.idempotency import IdempotencyKey
from app.keys.key import ApiKey, Status
from app.rotations import events, store, validation
from app.rotations.finish import load, progress_at_change
from app.rotations.replace import open_run, replace_successor, settings_like
from app.rotations.rotation import ROTATION_ID, OnDeadline, Progress, Rotation
from app.rotations.validation import DEFAULT_QUIET_SECONDS, RotationOptions
from app.tenancy.service import Change
from app.usage import log as usage_log

# The response with a successor's secret may be in transit for this long: clients and load balancers repeat slow requests, and
# a client that then got the first response would hold a key that the second has revoked.
ANSWER_ON_ITS_WAY: Final = 30 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Started:
    """`secret` is the successor's; None if an earlier response contained it.

    `retry_after`: after so many seconds, or at once with `replace_unused`, the same request replaces a successor that is still
    unused. None: it never will, or just has.
    """

    progress: Progress
    secret: str | None = field(repr=False)
    retry_after: int | None = None


async def start(
    actor: Actor,
    key_id: str,
    *,
    slug: str | None = None,
    deadline: int | None = None,
    on_deadline: OnDeadline = OnDeadline.KEEP_AND_ALERT,
    quiet_seconds: int = DEFAULT_QUIET_SECONDS,
    idempotency_key: str | None = None,
    replace_unused: bool = False,
    operation: str = "rotateApiKey",
) -> Started:
    """Starts a rotation with a new key that will replace this one; both work. Needs no room in the plan.

    `deadline` in microseconds, by default 7 days from now, never later than 30. Raises ValidationFailed, or Conflict for a key
    that is not active or has an open rotation. The same idempotency key with the same input returns the same rotation, within 24
    hours and as long as it is open. A successor that was never used is then replaced by another one, whose secret is returned: if
    it is older than ANSWER_ON_ITS_WAY, or at once with `replace_unused`, when the first response is lost. Raises Conflict when
    one rotation is repeated too often. `operation`: of which requests the idempotency key is one.
    """
    terms = RotationOptions(deadline, on_deadline, quiet_seconds)
    idempotent_input = [key_id, deadline, str(on_deadline), quiet_seconds]
    async with keys.changing(actor, key_id, Action.ROTATE_API_KEY, slug) as (change, key):
        repeat = IdempotencyKey.of(change, operation, idempotency_key, idempotent_input)
        begun = await store.find_repeat(repeat.scope, change.now) if repeat else None
        if repeat and begun:
            repeat.require_same(begun[1])
            return await _again(change, begun[0], replace_unused=replace_unused)
        return await _begin(change, key, terms, repeat)


async def _begin(change: Change, key: ApiKey, terms: RotationOptions, repeat: IdempotencyKey | None) -> Started:
    refuse_inactive(key, change.now)
    deadline = validation.checked_deadline(terms, change.now)
    refuse_open(await open_run(change, key))
    made = await keys.add_in(change, settings_like(key, catalogue.current()), line_started_at=key.lifetime_started_at)
    rotation = Rotation(
        id=ids.new(ROTATION_ID),
        workspace_id=change.workspace.id,
        predecessor_id=key.id,
        successor_id=made.key.id,
        started_at=change.now,
        started_by=change.actor.ref,
        deadline=deadline,
        on_deadline=terms.on_deadline,
        quiet_period=terms.quiet_period,
    )
    await store.add(rotation, repeat)
    await audit.record(change, events.STARTED, rotation.id, name=key.name, **_shape(rotation))
    return Started(await progress_at_change(change, rotation), made.secret)


async def _again(change: Change, begun: Rotation, *, replace_unused: bool) -> Started:
    """The rotation that the same request started before; with another successor if the first one's secret was lost."""
    progress = await progress_at_change(change, begun)
    suspended = Status.SUSPENDED in (progress.predecessor.status(change.now), progress.successor.status(change.now))
    if not progress.is_open or suspended or await usage_log.lock_use(progress.successor.id) is not None:
        return Started(progress, None)
    left = min(progress.successor.created_at + ANSWER_ON_ITS_WAY - change.now, ANSWER_ON_ITS_WAY)
    if left > 0 and not replace_unused:
        return Started(progress, None, retry_after=-(-left // clock.SECOND))
    made = await replace_successor(change, progress)
    return Started(await load(change, progress.rotation.id), made.secret)


def refuse_inactive(key: ApiKey, now: int) -> None:
    """Raises Conflict for a key that cannot be rotated."""
    if key.status(now) is not Status.ACTIVE:
        raise Conflict(f"This key is {key.status(now).lower()}; only an active key can be rotated.")


def refuse_open(progress: Progress | None) -> None:
    """Raises Conflict if this, the rotation of a key, is open."""
    if progress is not None and progress.is_open:
        raise Conflict("This key is already being rotated. Finish or cancel that rotation first.")


def _shape(rotation: Rotation) -> dict[str, object]:
    """A rotation as JSON data for the audit log."""
    return {
        "predecessor": rotation.predecessor_id,
        "successor": rotation.successor_id,
        "deadline": clock.rfc3339(rotation.deadline),
        "on_deadline": str(rotation.on_deadline),
        "quiet_seconds": rotation.quiet_period // clock.SECOND,
    }
