"""Rotations: the type, and its page in a workspace."""

from __future__ import annotations

import strawberry

from app.api.actors import Actor
from app.api.callers import Caller
from app.api.connection import Connection, Node, Slice, page
from app.api.context import Context
from app.api.cursors import Cut
from app.api.keys import ApiKey, places
from app.api.places import Placed
from app.api.scalars import Instant, instant
from app.clock import SECOND
from app.rotations import rotation as noun
from app.rotations import service
from app.tenancy.workspace import Workspace

OnDeadline = strawberry.enum(
    noun.OnDeadline,
    name="OnDeadline",
    description="REVOKE: the predecessor is revoked, whatever the evidence. KEEP_AND_ALERT: both keys stay, and both then count.",
)
RotationState = strawberry.enum(
    noun.State,
    name="RotationState",
    description=(
        "ISSUED: the successor was not used yet. IN_USE: it was. DRAINING: some callers have moved. READY: all have, or were\n"
        "dismissed, and the predecessor was silent for the quiet period. These four are open and may go back; COMPLETED\n"
        "(the predecessor is gone) and CANCELLED (the successor is) are for ever."
    ),
)


@strawberry.type(description="A run that replaces one key by another. Both work until it is completed or cancelled.")
class Rotation(Placed, Node):
    state: noun.State
    predecessor: ApiKey
    successor: ApiKey
    started_at: Instant
    started_by: Actor
    deadline: Instant
    deadline_passed: bool
    on_deadline: noun.OnDeadline
    quiet_period_seconds: int
    quiet_since: Instant = strawberry.field(description="When the predecessor was last used; if never, when it was made.")
    ready_at: Instant | None = strawberry.field(
        description="From when on it is READY if nothing more happens; null while somebody has to do something first."
    )
    ended_at: Instant | None
    ended_by: Actor | None = strawberry.field(
        description="The system where a key was revoked by hand, expired, or the deadline came."
    )
    callers: list[Caller] = strawberry.field(
        description="The predecessor's since 14 days before the start, the newest first: who has moved, and who is left."
    )

    @classmethod
    def of(cls, progress: noun.Progress, now: int) -> Rotation:
        run = progress.rotation
        return cls(
            id=strawberry.ID(run.id),
            workspace_id=run.workspace_id,
            state=progress.state,
            predecessor=ApiKey.of(progress.predecessor, now),
            successor=ApiKey.of(progress.successor, now),
            started_at=Instant(run.started_at),
            started_by=Actor.of(run.started_by),
            deadline=Instant(run.deadline),
            deadline_passed=progress.deadline_passed,
            on_deadline=run.on_deadline,
            quiet_period_seconds=run.quiet_period // SECOND,
            quiet_since=Instant(progress.quiet_since),
            ready_at=instant(progress.ready_at),
            ended_at=Instant(run.ending.at) if run.ending else None,
            ended_by=Actor.of(run.ending.by) if run.ending else None,
            callers=[Caller.of(moving) for moving in progress.callers],
        )


async def rotations(context: Context, workspace: Workspace, given: Cut, *, open_only: bool) -> Connection[Rotation]:
    """A page of a workspace's rotations, the newest first."""
    window = given.of(f"{workspace.id} rotations {open_only}")
    found = await service.page(context.actor, workspace.slug, places(window), open_only=open_only)
    now = await context.now()

    def position(run: noun.Progress) -> tuple[int, str]:
        return (run.rotation.started_at, run.rotation.id)

    async def count() -> int:
        return await service.count(context.actor, workspace.slug, open_only=open_only)

    rows = Slice(found.runs, found.has_next, found.has_previous)
    return page(window, rows, node=lambda run: Rotation.of(run, now), position=position, count=count)
