"""Who uses a key, and what revoking it would cut off."""

from __future__ import annotations

import asyncio

import strawberry

from app.api.catalogue import Permission
from app.api.connection import Connection, Node, cut, known, page
from app.api.context import Context
from app.api.cursors import Cut
from app.api.places import OfKey
from app.api.scalars import BigInt, Instant, Network, instant
from app.rotations import impact as impact_noun
from app.rotations.rotation import Moving, Progress
from app.usage import caller as noun

RevocationVerdict = strawberry.enum(
    impact_noun.Verdict,
    name="RevocationVerdict",
    description="QUIET: not used for 30 days, revoked or expired. BUSY: active, and used within the last hour.",
)


@strawberry.type(description="A network and a family of programs seen using a key.")
class Caller(OfKey, Node):
    network: Network | None = strawberry.field(description="A /24 of IPv4, a /48 of IPv6; null: not known, or several.")
    user_agent: str | None = strawberry.field(description="The program's name without its version; null: not known, or several.")
    folded: bool = strawberry.field(
        description="Whether this stands for all callers that are no longer kept apart: a key has 200 that are."
    )
    first_seen_at: Instant
    last_seen_at: Instant
    requests: BigInt
    permissions: list[Permission] = strawberry.field(description="Those it asked for.")
    moved: bool = strawberry.field(
        description=(
            "Whether it was seen on the key's successor, in the key's open or latest rotation. What is not known or folded is\n"
            "never taken for moved."
        )
    )
    dismissed: bool = strawberry.field(description="Whether somebody said that it need not move.")
    on_successor_at: Instant | None = strawberry.field(description="When it, or its family, was last seen on the successor.")

    @classmethod
    def of(cls, moving: Moving) -> Caller:
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
            permissions=[Permission.named(name) for name in caller.permissions],
            moved=moving.moved,
            dismissed=moving.dismissed,
            on_successor_at=instant(moving.on_successor_at),
        )

    @classmethod
    def standing(cls, caller: noun.Caller, run: Progress | None) -> Caller:
        """The caller as it stands in its key's run; one that the run does not count has not moved."""
        counted = run.callers if run is not None else ()
        return cls.of(next((moving for moving in counted if moving.caller.id == caller.id), Moving(caller, False, False, None)))


@strawberry.type(description="What a key was used for lately: is it safe to revoke?")
class RevocationImpact:
    verdict: impact_noun.Verdict
    last_hour: BigInt = strawberry.field(description="Requests of this hour and the one before.")
    last_day: BigInt = strawberry.field(description="Requests of this hour and the 24 before.")
    last_30_days: BigInt = strawberry.field(name="last30Days", description="Requests of this hour and the 720 before.")
    callers: list[Caller] = strawberry.field(description="Those of the last 30 days, the newest first.")
    permissions: list[Permission] = strawberry.field(description="Those they asked for.")

    @classmethod
    def of(cls, impact: impact_noun.Impact, run: Progress | None) -> RevocationImpact:
        return cls(
            verdict=impact.verdict,
            last_hour=BigInt(impact.hour),
            last_day=BigInt(impact.day),
            last_30_days=BigInt(impact.month),
            callers=[Caller.standing(caller, run) for caller in impact.callers],
            permissions=[Permission.named(name) for name in impact.permissions],
        )


async def caller_page(context: Context, key_id: str, given: Cut) -> Connection[Caller]:
    """A page of a key's callers, the newest first."""
    window = given.of(f"{key_id} callers")
    # Asked for at once, so that all keys of a page are asked about together.
    rows, run = await asyncio.gather(context.keys.callers(key_id), context.keys.rotation(key_id))

    def position(caller: noun.Caller) -> tuple[int, str]:
        return (-caller.last_seen_at, caller.id)

    found = cut(window, rows, position)
    return page(window, found, node=lambda caller: Caller.standing(caller, run), position=position, count=known(rows))
