"""Requests of a key, counted by the hour."""

from __future__ import annotations

import strawberry

from app.api.codes import UsageOutcome
from app.api.resolving import field
from app.api.scalars import BigInt, Instant
from app.usage import usage as noun

UsageGranularity = strawberry.enum(noun.Granularity, name="UsageGranularity", description="Days are UTC.")


@strawberry.type
class UsagePoint:
    at: Instant = strawberry.field(description="The start of the hour or day.")
    total: BigInt
    successful: BigInt
    failed: BigInt


@strawberry.type
class PermissionUsage:
    permission: str | None = strawberry.field(description="The name asked for; null for requests that asked for none.")
    total: BigInt
    successful: BigInt
    failed: BigInt


@strawberry.type
class OutcomeUsage:
    outcome: UsageOutcome
    total: BigInt


@strawberry.type(description="Requests counted in a span of time; `totalRequests` is always the sum of the other two.")
class Usage:
    total_requests: BigInt
    successful_requests: BigInt
    failed_requests: BigInt = strawberry.field(
        description="Refused verifications of the key, and requests that the protected service reported as failed."
    )
    last_used_at: Instant | None = strawberry.field(
        description="The last use of the key, or of any key of the workspace, whatever the span."
    )
    usage: strawberry.Private[noun.Usage]

    @classmethod
    def of(cls, usage: noun.Usage, last_used_at: Instant | None) -> Usage:
        return cls(
            total_requests=BigInt(usage.counts.total),
            successful_requests=BigInt(usage.counts.successful),
            failed_requests=BigInt(usage.counts.failed),
            last_used_at=last_used_at,
            usage=usage,
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


def _split(counts: noun.Counts) -> dict[str, BigInt]:
    return {"total": BigInt(counts.total), "successful": BigInt(counts.successful), "failed": BigInt(counts.failed)}
