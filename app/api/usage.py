"""The usage of a key or workspace: requests, counted by the hour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import strawberry

from app.access.policy import Action
from app.api.framework.codes import UsageOutcome
from app.api.framework.decorators import field, object_type
from app.api.framework.scalars import BigInt, Instant, Network, instant
from app.usage import usage as noun
from app.usage.caller import CallerCount
from app.usage.service import MOST_CALLERS

UsageGranularity = strawberry.enum(noun.Granularity, name="UsageGranularity", description="Days are UTC.")


@object_type(requires=Action.READ_USAGE)
class UsagePoint:
    at: Instant = strawberry.field(description="The start of the hour or day.")
    total: BigInt
    successful: BigInt
    failed: BigInt


@object_type(requires=Action.READ_USAGE)
class PermissionUsage:
    permission: str | None = strawberry.field(description="The name asked for; null for requests that asked for none.")
    total: BigInt
    successful: BigInt
    failed: BigInt


@object_type(requires=Action.READ_USAGE)
class OutcomeUsage:
    outcome: UsageOutcome
    total: BigInt


@object_type("A network and a family of programs, with one key or with all keys of a workspace.", requires=Action.READ_USAGE)
class CallerUsage:
    network: Network | None = strawberry.field(description="A /24 of IPv4, a /48 of IPv6; null: not known, or several.")
    user_agent: str | None = strawberry.field(description="The program's name without its version; null: not known, or several.")
    folded: bool = strawberry.field(description="Whether this stands for all callers that are no longer kept apart.")
    first_seen_at: Instant
    last_seen_at: Instant
    total: BigInt = strawberry.field(
        description="All requests since it was first seen, also outside the span: callers are not counted by time."
    )

    @classmethod
    def of(cls, caller: CallerCount) -> CallerUsage:
        return cls(
            network=Network(caller.network) if caller.network and not caller.folded else None,
            user_agent=None if caller.folded else caller.user_agent or None,
            folded=caller.folded,
            first_seen_at=Instant(caller.first_seen_at),
            last_seen_at=Instant(caller.last_seen_at),
            total=BigInt(caller.requests),
        )


@object_type("All requests ever counted; folding and time take nothing away.", requires=Action.READ_USAGE)
class UsageTotals:
    keys: int = strawberry.field(description="How many keys are counted together.")
    total_requests: BigInt
    successful_requests: BigInt
    failed_requests: BigInt
    success_rate: float | None = strawberry.field(description="From 0 to 1; null: no requests.")
    first_used_at: Instant | None = strawberry.field(description="The first use by a caller; null: never used.")
    last_used_at: Instant | None = strawberry.field(description="The last use; null: never used.")

    @classmethod
    def of(cls, totals: noun.Totals, keys: int) -> UsageTotals:
        return cls(
            keys=keys,
            total_requests=BigInt(totals.counts.total),
            successful_requests=BigInt(totals.counts.successful),
            failed_requests=BigInt(totals.counts.failed),
            success_rate=totals.counts.success_rate,
            first_used_at=instant(totals.first_used_at),
            last_used_at=instant(totals.last_used_at),
        )


@object_type("Requests counted in a span of time; `totalRequests` is always the sum of the other two.", requires=Action.READ_USAGE)
class Usage:
    total_requests: BigInt
    successful_requests: BigInt
    failed_requests: BigInt = strawberry.field(
        description="Refused verifications of the key, and requests that the protected service reported as failed."
    )
    success_rate: float | None = strawberry.field(
        description="`successfulRequests` divided by `totalRequests`, from 0 to 1; null: no requests."
    )
    last_used_at: Instant | None = strawberry.field(
        description="The last use of the key, or of any key of the workspace, whatever the span."
    )
    usage: strawberry.Private[noun.Usage]
    callers: strawberry.Private[Callable[[], Awaitable[list[CallerCount]]]]

    @classmethod
    def of(cls, usage: noun.Usage, last_used_at: Instant | None, callers: Callable[[], Awaitable[list[CallerCount]]]) -> Usage:
        """`callers` reads those that were seen in the span."""
        return cls(
            total_requests=BigInt(usage.counts.total),
            successful_requests=BigInt(usage.counts.successful),
            failed_requests=BigInt(usage.counts.failed),
            success_rate=usage.counts.success_rate,
            last_used_at=last_used_at,
            usage=usage,
            callers=callers,
        )

    @field("Every hour or day of the span, in order.")
    def series(self) -> list[UsagePoint]:
        return [UsagePoint(at=Instant(point.at), **_split(point.counts)) for point in self.usage.series]

    @strawberry.field
    def by_permission(self) -> list[PermissionUsage]:
        return [PermissionUsage(permission=name or None, **_split(counts)) for name, counts in self.usage.by_permission]

    @strawberry.field
    def by_outcome(self) -> list[OutcomeUsage]:
        return [OutcomeUsage(outcome=UsageOutcome(outcome), total=BigInt(total)) for outcome, total in self.usage.by_outcome]

    @field(
        "Callers first seen before the end of the span and last seen not before its beginning, by their `total`, the largest\n"
        f"first; at most {MOST_CALLERS}."
    )
    async def by_caller(self) -> list[CallerUsage] | None:
        return [CallerUsage.of(caller) for caller in (await self.callers())[:MOST_CALLERS]]


def _split(counts: noun.Counts) -> dict[str, BigInt]:
    return {"total": BigInt(counts.total), "successful": BigInt(counts.successful), "failed": BigInt(counts.failed)}
