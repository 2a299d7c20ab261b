"""How runs begin: with a new key beside the old one, and again when the answer to that was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app import clock, ids
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.errors import Conflict
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import ApiKey, Status
from app.keys.repeat import Repeat
from app.rotations import rules, store
from app.rotations.ending import as_stored, now_of
from app.rotations.replacing import like, open_run, replace_successor
from app.rotations.rotation import OnDeadline, Progress, Rotation
from app.rotations.rules import DEFAULT_QUIET_SECONDS, Terms
from app.tenancy.service import Change

# So long after a successor was made the answer with its secret may still be on its way: clients and balancers repeat a request
# that is merely slow, and whoever then got the first answer would hold a key that the second has revoked.
ANSWER_ON_ITS_WAY: Final = 30 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Started:
    """`secret` is the successor's; None when another answer told it.

    `retry_after`: in so many seconds, or at once with `replace_unused`, the same request replaces a successor that is not used by
    then. None: it never will, or just has.
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
) -> Started:
    """A run with a new key that takes the place of this one; both work. Needs no free slot of the plan.

    `deadline` in microseconds, by default 7 days from now, never later than 30. Raises ValidationFailed, or Conflict for a key
    that is not active or has an open run. The same idempotency key with the same input answers the same run, within 24 hours
    and as long as the run is open. A successor that was never used is then replaced by another, whose secret is told: once it is
    older than ANSWER_ON_ITS_WAY, or at once when `replace_unused` says that the first answer is lost. Raises Conflict when one
    run asks for that too often.
    """
    terms = Terms(deadline, on_deadline, quiet_seconds)
    asked = [key_id, deadline, str(on_deadline), quiet_seconds]
    async with keys.changing(actor, key_id, Action.ROTATE_API_KEY, slug) as (change, key):
        repeat = Repeat.of(change, "rotateApiKey", idempotency_key, asked)
        begun = await store.find_repeat(repeat.scope, change.now) if repeat else None
        if repeat and begun:
            repeat.require_same(begun[1])
            return await _again(change, begun[0], replace_unused=replace_unused)
        return await _begin(change, key, terms, repeat)


async def _begin(change: Change, key: ApiKey, terms: Terms, repeat: Repeat | None) -> Started:
    if key.status(change.now) is not Status.ACTIVE:
        raise Conflict(f"This key is {key.status(change.now).lower()}; only an active key can be rotated.")
    deadline = rules.checked_deadline(terms, change.now)
    await _refuse_open_run(change, key)
    made = await keys.add_in(change, like(key), line_started_at=key.born)
    run = Rotation(
        id=ids.new(ids.ROTATION),
        workspace_id=change.place.id,
        predecessor_id=key.id,
        successor_id=made.key.id,
        started_at=change.now,
        started_by=change.actor.ref,
        deadline=deadline,
        on_deadline=terms.on_deadline,
        quiet_period=terms.quiet_period,
    )
    await store.add(run, repeat)
    await audit.record(change, "rotation.started", run.id, name=key.name, **_shape(run))
    return Started(await now_of(change, run), made.secret)


async def _again(change: Change, begun: Rotation, *, replace_unused: bool) -> Started:
    """The run that the same request has begun before; with another successor if nobody can have the first one's secret."""
    run = await now_of(change, begun)
    suspended = Status.SUSPENDED in (run.predecessor.status(change.now), run.successor.status(change.now))
    if not run.is_open or suspended or await key_store.lock_use(run.successor.id) is not None:
        return Started(run, None)
    left = min(run.successor.created_at + ANSWER_ON_ITS_WAY - change.now, ANSWER_ON_ITS_WAY)
    if left > 0 and not replace_unused:
        return Started(run, None, retry_after=-(-left // clock.SECOND))
    made = await replace_successor(change, run)
    return Started(await as_stored(change, run.rotation.id), made.secret)


async def _refuse_open_run(change: Change, key: ApiKey) -> None:
    if await open_run(change, key) is not None:
        raise Conflict("This key is being rotated already. Finish or cancel that rotation first.")


def _shape(run: Rotation) -> dict[str, object]:
    """A run as the audit log shows it."""
    return {
        "predecessor": run.predecessor_id,
        "successor": run.successor_id,
        "deadline": clock.rfc3339(run.deadline),
        "on_deadline": str(run.on_deadline),
        "quiet_seconds": run.quiet_period // clock.SECOND,
    }
