"""Alerts: their type, a workspace's and a key's lists of them, and what a caller can do about them."""

from __future__ import annotations

from typing import Annotated, TypeAlias, cast

import strawberry
from strawberry.scalars import JSON

from app.access.policy import Action
from app.alerts import alert as noun
from app.alerts import service, words
from app.alerts.alert import ALERT_ID
from app.api.actors import Actor
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, Node, count_of, page
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import extend, mutation, object_type
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import BigInt, Instant, instant, unset_to_none
from app.api.key_types import ApiKey
from app.api.problems import NotAllowed, NotFound, ValidationFailed
from app.tenancy.service import Access

AlertKind = strawberry.enum(
    noun.Kind,
    name="AlertKind",
    description=(
        "ROTATE_BY, EXPIRY, DEADLINE (of a rotation) and LEAKED are about dates; the others about use: a network it was not\n"
        "used from before, failures its past does not explain, a time at which it is not used, a permission it never used or does\n"
        "not hold, requests after its revocation or expiry, use after 30 days without any."
    ),
)
AlertState = strawberry.enum(noun.State, name="AlertState", description="OPEN as long as it requires action.")
AlertResolution = strawberry.enum(
    noun.Resolution,
    name="AlertResolution",
    description=(
        "EXPECTED: what was found joins what is usual. HANDLED: a member handled it; if it continues, there is another alert.\n"
        "OVER: nothing is left to do."
    ),
)

SuspensionWithheld = strawberry.enum(
    noun.Withheld,
    name="SuspensionWithheld",
    description="Why an alert did not suspend its key although its rule is set to.",
)


@object_type(
    "Something about a key that a person should look at: one for an incident, not for a request.", requires=Action.READ_KEYS
)
class Alert(Node):
    kind: noun.Kind
    state: noun.State
    summary: str = strawberry.field(description="What was found, in a sentence or two, for people.")
    api_key: ApiKey
    raised_at: Instant
    first_seen_at: Instant = strawberry.field(description="When the incident began; of an alert about a date, when it was raised.")
    last_seen_at: Instant
    count: BigInt = strawberry.field(description="The requests of the incident so far.")
    about: Instant | None = strawberry.field(description="Of an alert about a date: that date. Else null.")
    evidence: JSON = strawberry.field(
        description=(
            "What was found, by name: `now` beside `usual` in `unit`, and as far as they apply `networks`, `userAgents`,\n"
            "`permissions`, `notHeld`, `outcomes`, `times`. Empty for an alert about a date."
        )
    )
    baseline: JSON = strawberry.field(description="What is usual for the key, by name. Empty for an alert about a date.")
    suspended_at: Instant | None = strawberry.field(description="When the alert suspended the key by itself; null: it did not.")
    suspension_withheld: noun.Withheld | None = strawberry.field(
        description="Why it did not although its rule is set to; null: it did, or its rule is not."
    )
    resolved_at: Instant | None
    resolved_by: Actor | None = strawberry.field(description="Null while it is open, and where nothing was left to do.")
    resolution: noun.Resolution | None
    workspace_id: strawberry.Private[str]

    @classmethod
    def of(cls, alert: noun.Alert, now: int) -> Alert:
        return cls(
            id=strawberry.ID(alert.id),
            kind=alert.kind,
            state=alert.state,
            summary=words.summary(alert),
            api_key=ApiKey.of(alert.key, now),
            raised_at=Instant(alert.at),
            first_seen_at=Instant(alert.first_seen_at),
            last_seen_at=Instant(max(alert.last_seen_at, alert.first_seen_at)),
            count=BigInt(alert.count),
            about=Instant(alert.about) if alert.is_dated else None,
            evidence=cast("JSON", alert.evidence),
            baseline=cast("JSON", alert.baseline),
            suspended_at=instant(alert.suspended_at),
            suspension_withheld=alert.withheld,
            resolved_at=instant(alert.resolved_at),
            resolved_by=Actor.of(alert.resolved_by) if alert.resolved_by else None,
            resolution=alert.resolution,
            workspace_id=alert.workspace_id,
        )


@strawberry.input(description="Every condition given must hold.")
class AlertFilter:
    state: list[noun.State] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    kind: list[noun.Kind] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    api_key: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Only those of this key.")

    def to_domain(self) -> service.AlertFilter:
        return service.AlertFilter(
            tuple(unset_to_none(self.state) or ()), tuple(unset_to_none(self.kind) or ()), unset_to_none(self.api_key)
        )


@object_type("What was marked as expected for a key.", requires=Action.READ_KEYS)
class ExpectedUse:
    kind: noun.Kind
    values: list[str] = strawberry.field(
        description="Networks, permissions, hours of the week, a number of failures or days; `*`: the rule is turned off for it."
    )


@strawberry.input
class ResolveAlertInput:
    id: strawberry.ID
    resolution: noun.Resolution = strawberry.field(description="EXPECTED or HANDLED.")
    always: bool = strawberry.field(default=False, description="With EXPECTED: turn this rule off for the key.")


@object_type(requires=ANYONE)
class ResolveAlertPayload:
    alert: Alert


@strawberry.input
class SetExpectedUseInput:
    api_key: strawberry.ID
    kind: noun.Kind = strawberry.field(description="One about use.")
    expected: bool = strawberry.field(
        description=(
            "True: this rule is turned off for the key, for example OUTSIDE_BUSINESS_HOURS of one that works around the clock.\n"
            "False: it is turned on again, and forgets what it was taught about the key."
        )
    )


@object_type(requires=ANYONE)
class SetExpectedUsePayload:
    api_key: ApiKey


ResolveAlertResult: TypeAlias = Annotated[
    ResolveAlertPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("ResolveAlertResult")
]
SetExpectedUseResult: TypeAlias = Annotated[
    SetExpectedUsePayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("SetExpectedUseResult")
]


@strawberry.type
class AlertMutation:
    @mutation(
        "Resolves an alert. With EXPECTED, what it found is usual from now on. Repeated, the first resolution stays.",
        requires=Action.RESOLVE_ALERT,
    )
    async def resolve_alert(self, info: Info, input: ResolveAlertInput) -> ResolveAlertResult | None:
        resolved = await service.resolve(info.context.actor, input.id, input.resolution, always=input.always)
        return ResolveAlertPayload(alert=Alert.of(resolved, await info.context.now()))

    @mutation("Turns a rule about use off for a key, or on again.", requires=Action.RESOLVE_ALERT)
    async def set_expected_use(self, info: Info, input: SetExpectedUseInput) -> SetExpectedUseResult | None:
        key = await service.set_expected(info.context.actor, input.api_key, input.kind, expected=input.expected)
        return SetExpectedUsePayload(api_key=ApiKey.of(key, await info.context.now()))


@extend(
    ApiKey,
    name="alerts",
    description="The alerts about the key, the newest first, at most 200.",
    requires=Action.READ_KEYS,
    pages=True,
)
async def _alerts_of_key(self: ApiKey, info: Info, args: ConnectionArgs) -> Connection[Alert] | None:
    rows, now = await info.context.keys.alerts(self.key), await info.context.now()
    name = f"{self.id} alerts"

    def position(alert: noun.Alert) -> tuple[int, str]:
        return (-alert.at, alert.id)

    found = args.of(name).page_of_all(rows, position)
    return page(name, found, node=lambda alert: Alert.of(alert, now), position=position, count=count_of(rows))


@extend(ApiKey, name="expectedUse", description="What was marked as expected for the key.", requires=Action.READ_KEYS)
async def _expected_use(self: ApiKey, info: Info) -> list[ExpectedUse] | None:
    known = await info.context.keys.expectations(self.key)
    return [ExpectedUse(kind=kind, values=sorted(values)) for kind, values in sorted(known.items())]


async def alerts(context: Context, access: Access, given: ConnectionArgs, filter: AlertFilter | None) -> Connection[Alert]:
    """A page of a workspace's alerts, the newest first."""
    wanted = filter.to_domain() if filter else service.AlertFilter()
    name = f"{access.workspace.id} alerts"
    found, now = await service.page(access, given.of(name), wanted), await context.now()

    async def count() -> int:
        return await service.count(access, wanted)

    return page(name, found, node=lambda alert: Alert.of(alert, now), position=lambda alert: (alert.at, alert.id), count=count)


@found_by_id(ALERT_ID)
async def _by_id(context: Context, alert_id: str) -> Alert:
    return Alert.of(await service.get(context.actor, alert_id), await context.now())
