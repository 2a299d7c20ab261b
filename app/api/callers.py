"""The callers of a key, and the impact of revoking it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import strawberry

from app.access.policy import Action
from app.api.catalogue import Permission
from app.api.framework.connection import Connection, Node, count_of, page
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import field, object_type
from app.api.framework.scalars import BigInt, Instant, Network, instant
from app.keys.key import ApiKey
from app.rotations import impact as impact_noun
from app.rotations.rotation import CallerStatus, Progress
from app.usage import caller as noun

RevocationVerdict = strawberry.enum(
    impact_noun.Verdict,
    name="RevocationVerdict",
    description="QUIET: not used for 30 days, revoked or expired. BUSY: active, and used within the last hour.",
)


# Completing a rotation shows the callers that it would cut off, without `usage.read`.
@object_type("A network and a family of programs seen using a key.", requires=Action.READ_ROTATIONS)
class Caller(Node):
    network: Network | None = strawberry.field(description="A /24 of IPv4, a /48 of IPv6; null: not known, or several.")
    user_agent: str | None = strawberry.field(description="The program's name without its version; null: not known, or several.")
    folded: bool = strawberry.field(
        description="Whether this stands for all callers that are no longer kept apart: a key has 200 that are."
    )
    first_seen_at: Instant
    last_seen_at: Instant
    requests: BigInt
    key_id: strawberry.Private[str]
    permission_names: strawberry.Private[tuple[str, ...]]

    # Computed only on request: the callers of one key may have a thousand.
    @field("Those it asked for.")
    def permissions(self) -> list[Permission]:
        return [Permission.named(name) for name in self.permission_names]

    moved: bool = strawberry.field(
        description=(
            "Whether it was seen on the key's successor, in the key's open or latest rotation. What is not known or folded is\n"
            "never taken for moved."
        )
    )
    dismissed: bool = strawberry.field(description="Whether someone said that it need not move.")
    on_successor_at: Instant | None = strawberry.field(description="When it, or its family, was last seen on the successor.")

    @classmethod
    def of(cls, moving: CallerStatus) -> Caller:
        caller = moving.caller
        known_apart = not caller.folded
        return cls(
            id=strawberry.ID(caller.id),
            key_id=caller.key_id,
            network=Network(caller.network) if known_apart and caller.network else None,
            user_agent=caller.user_agent or None if known_apart else None,
            folded=caller.folded,
            first_seen_at=Instant(caller.first_seen_at),
            last_seen_at=Instant(caller.last_seen_at),
            requests=BigInt(caller.requests),
            permission_names=caller.permissions,
            moved=moving.moved,
            dismissed=moving.dismissed,
            on_successor_at=instant(moving.on_successor_at),
        )


def caller_in_rotation(progress: Progress | None) -> Callable[[noun.Caller], Caller]:
    """Shows callers with their status in the key's rotation; those that the rotation does not count have not moved."""
    counted = {moving.caller.id: moving for moving in progress.callers} if progress else {}
    return lambda caller: Caller.of(counted.get(caller.id) or CallerStatus(caller, False, False, None))


@object_type("What a key was used for recently: is it safe to revoke?", requires=Action.READ_USAGE)
class RevocationImpact:
    verdict: impact_noun.Verdict
    last_hour: BigInt = strawberry.field(description="Requests of this hour and the one before.")
    last_day: BigInt = strawberry.field(description="Requests of this hour and the 24 before.")
    last_30_days: BigInt = strawberry.field(name="last30Days", description="Requests of this hour and the 720 before.")
    impact: strawberry.Private[impact_noun.Impact]
    progress: strawberry.Private[Progress | None]

    @field("Those of the last 30 days, the newest first.")
    async def callers(self, info: Info) -> list[Caller]:
        placed = caller_in_rotation(self.progress)
        return [placed(caller) async for caller in info.context.pace.through(self.impact.callers)]

    @field("Those they asked for.")
    def permissions(self) -> list[Permission]:
        return [Permission.named(name) for name in self.impact.permissions]

    @classmethod
    def of(cls, impact: impact_noun.Impact, progress: Progress | None) -> RevocationImpact:
        return cls(
            verdict=impact.verdict,
            last_hour=BigInt(impact.hour),
            last_day=BigInt(impact.day),
            last_30_days=BigInt(impact.month),
            impact=impact,
            progress=progress,
        )


async def caller_page(context: Context, key: ApiKey, given: ConnectionArgs) -> Connection[Caller]:
    """A page of a key's callers, the newest first."""
    name = f"{key.id} callers"
    window = given.of(name)
    # Requested at once, so that one query loads the callers of all keys of a page.
    rows, progress = await asyncio.gather(context.keys.callers(key), context.keys.rotation(key))

    def position(caller: noun.Caller) -> tuple[int, str]:
        return (-caller.last_seen_at, caller.id)

    return page(
        name, window.page_of_all(rows, position), node=caller_in_rotation(progress), position=position, count=count_of(rows)
    )
