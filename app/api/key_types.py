"""The types of API keys and rotations, which refer to each other, and the fields of other types that show one of them."""

from __future__ import annotations

import asyncio
from typing import Final

import strawberry

from app import catalogue
from app.access.policy import Action
from app.api.actors import Actor
from app.api.callers import Caller, RevocationImpact, caller_in_rotation, caller_page
from app.api.catalogue import Environment, Permission
from app.api.framework.connection import Connection, Node
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs, bad_user_input
from app.api.framework.decorators import extend, field, object_type, paged
from app.api.framework.loaders import UsagePeriod, reading
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, Network, instant, unset_to_none
from app.api.labels import Label
from app.api.owners import ApiKeyOwner
from app.api.usage import Usage, UsageTotals
from app.clock import SECOND
from app.keys import key as noun
from app.keys import service as keys
from app.keys.key import API_KEY_ID
from app.rotations import rotation as run_noun
from app.rotations import service as rotations
from app.rotations.rotation import ROTATION_ID
from app.usage import caller_service
from app.usage.caller import CALLER_ID, CallerCount, seen_between
from app.usage.usage import Granularity

LONGEST_LOOK_BACK_DAYS: Final = 366

ApiKeyStatus = strawberry.enum(
    noun.Status,
    name="ApiKeyStatus",
    description="SUSPENDED keys are refused until they are resumed; EXPIRED and REVOKED are final.",
)
RevocationReason = strawberry.enum(noun.Reason, name="RevocationReason", description="With OTHER, say more in the note.")
RotationDue = strawberry.enum(noun.RotationDue, name="RotationDue", description="DUE_SOON: within 14 days.")
OnDeadline = strawberry.enum(
    run_noun.OnDeadline,
    name="OnDeadline",
    description="REVOKE: the predecessor is revoked, whatever the evidence. KEEP_AND_ALERT: both keys stay, and both then count.",
)
RotationState = strawberry.enum(
    run_noun.State,
    name="RotationState",
    description=(
        "ISSUED: the successor was not used yet. IN_USE: it was. DRAINING: some callers have moved. READY: all have, or were\n"
        "dismissed, and the predecessor was silent for the quiet period. These four are open and may go back; COMPLETED\n"
        "(the predecessor is gone) and CANCELLED (the successor is) are final."
    ),
)


@object_type("One secret with a name, an environment and permissions. The secret itself cannot be read.", requires=Action.READ_KEYS)
class ApiKey(Node):
    name: str
    prefix: str = strawberry.field(description="The beginning of the secret, for recognizing it: `fl_live_a1b2`.")
    environment: Environment
    status: noun.Status
    permissions: list[Permission]
    allowed_ips: list[Network] = strawberry.field(description="Addresses and networks that may use the key; empty: any.")
    description: str | None = strawberry.field(description="Free text, in one or several lines; null: none.")
    labels: list[Label] = strawberry.field(description="Sorted by name; each name at most once.")
    owner: ApiKeyOwner | None = strawberry.field(description="At first the user who created it; null: nobody.")
    created_at: Instant
    created_by: Actor
    expires_at: Instant | None = strawberry.field(description="From this instant on the key is EXPIRED; null: never.")
    suspended_at: Instant | None
    last_used_at: Instant | None = strawberry.field(description="When the key itself was good and was last presented.")
    last_used_ip: str | None
    rotate_by: Instant | None = strawberry.field(
        description="When the environment's schedule wants the key replaced; null where it has none, and for a key that is over."
    )
    rotation_due: noun.RotationDue
    revoked_at: Instant | None
    revoked_by: Actor | None
    revocation_reason: noun.Reason | None
    revocation_note: str | None
    workspace_id: strawberry.Private[str]
    key: strawberry.Private[noun.ApiKey]

    @classmethod
    def of(cls, key: noun.ApiKey, now: int) -> ApiKey:
        environment, revocation = catalogue.current().environment(key.environment), key.revocation
        return cls(
            id=strawberry.ID(key.id),
            workspace_id=key.workspace_id,
            name=key.name,
            prefix=key.prefix,
            environment=Environment.of(environment),
            status=key.status(now),
            permissions=[Permission.named(name) for name in key.permissions],
            allowed_ips=[Network(text) for text in key.allowed_ips],
            description=key.description,
            labels=[Label.of(word) for word in key.labels],
            owner=ApiKeyOwner.of(key.owner),
            created_at=Instant(key.created_at),
            created_by=Actor.of(key.created_by),
            expires_at=instant(key.expires_at),
            suspended_at=instant(key.suspended_at),
            last_used_at=instant(key.last_used_at),
            last_used_ip=key.last_used_ip,
            rotate_by=None if key.is_over(now) else instant(key.rotate_by(environment.rotate_every_days)),
            rotation_due=key.rotation_due(environment.rotate_every_days, now),
            revoked_at=Instant(revocation.at) if revocation else None,
            revoked_by=Actor.of(revocation.by) if revocation else None,
            revocation_reason=revocation.reason if revocation else None,
            revocation_note=revocation.note if revocation else None,
            key=key,
        )

    @field("Another whenever what `updateApiKey` changes is another; what its `expectedRevision` takes.")
    def revision(self) -> str:
        return self.key.version

    @field("When it was last edited, suspended, resumed or revoked, else made; using it does not count.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.workspace_id, self.id, self.created_at))

    @field(
        "Requests from `since` (left out: 30 days before the end) up to, but not including, `until` (left out: now), both widened\n"
        "to whole hours or days, at most 1,000 of them.",
        requires=Action.READ_USAGE,
    )
    async def usage(
        self,
        info: Info,
        since: Instant | None = strawberry.UNSET,
        until: Instant | None = strawberry.UNSET,
        granularity: Granularity = Granularity.DAY,
    ) -> Usage | None:
        span = UsagePeriod(unset_to_none(since), unset_to_none(until), granularity)
        found = await info.context.usage.load(self.key, span)

        async def callers() -> list[CallerCount]:
            return seen_between(await info.context.keys.callers(self.key), found.since, found.until)

        return Usage.of(found, self.last_used_at, callers)

    @field("All requests with this key, from its first to its last.", requires=Action.READ_USAGE)
    async def all_time_usage(self, info: Info) -> UsageTotals | None:
        return UsageTotals.of(await info.context.usage.all_time(self.key), 1)

    @field(
        "All requests with the key, its predecessors and its successors together: what one program did across rotations.",
        requires=Action.READ_USAGE,
    )
    async def lineage_usage(self, info: Info) -> UsageTotals | None:
        return UsageTotals.of(*await info.context.usage.of_lineage(self.key))

    @field(
        f"Permissions the key holds and has not used with success in the last `days` days (1 to {LONGEST_LOOK_BACK_DAYS}).",
        requires=Action.READ_USAGE,
    )
    async def unused_permissions(self, info: Info, days: int = 30) -> list[Permission] | None:
        if not 1 <= days <= LONGEST_LOOK_BACK_DAYS:
            raise bad_user_input(f"`days` is a number from 1 to {LONGEST_LOOK_BACK_DAYS}.")
        used = await info.context.usage.permissions_used(self.key, days)
        return [permission for permission in self.permissions if permission.name not in used]

    @field(
        "Its open rotation, else its latest one, whether it is the predecessor or the successor.", requires=Action.READ_ROTATIONS
    )
    async def rotation(self, info: Info) -> Rotation | None:
        found = await info.context.keys.rotation(self.key)
        return Rotation.of(found, await info.context.now()) if found else None

    @field("The key that this one replaced or was to replace.", requires=Action.READ_ROTATIONS)
    async def predecessor(self, info: Info) -> ApiKey | None:
        return await _shown(info, (await info.context.keys.relatives(self.key)).predecessor)

    @field("The key that replaces this one, or has replaced it.", requires=Action.READ_ROTATIONS)
    async def successor(self, info: Info) -> ApiKey | None:
        return await _shown(info, (await info.context.keys.relatives(self.key)).successor)

    @paged("Who uses the key, the newest first.", requires=Action.READ_USAGE)
    async def callers(self, info: Info, args: ConnectionArgs) -> Connection[Caller] | None:
        return await caller_page(info.context, self.key, args)

    @field("What the key was used for recently: is it safe to revoke?", requires=Action.READ_USAGE)
    async def revocation_impact(self, info: Info) -> RevocationImpact | None:
        beside = info.context.keys
        return RevocationImpact.of(*await asyncio.gather(beside.impact(self.key), beside.rotation(self.key)))


@object_type(
    "A run that replaces one key by another. Both work until it is completed or cancelled.", requires=Action.READ_ROTATIONS
)
class Rotation(Node):
    state: run_noun.State
    predecessor: ApiKey
    successor: ApiKey
    started_at: Instant
    started_by: Actor
    deadline: Instant
    deadline_passed: bool
    on_deadline: run_noun.OnDeadline
    quiet_period_seconds: int
    quiet_since: Instant = strawberry.field(description="When the predecessor was last used; if never, when it was made.")
    ready_at: Instant | None = strawberry.field(
        description="From when on it is READY if nothing more happens; null while a person must act first."
    )
    ended_at: Instant | None
    ended_by: Actor | None = strawberry.field(
        description="The system where a key was revoked by hand, expired, or the deadline came."
    )
    workspace_id: strawberry.Private[str]
    moving: strawberry.Private[tuple[run_noun.CallerStatus, ...]]

    @field("When its deadline, its callers or its successor were last changed or it ended, else when it began.")
    async def updated_at(self, info: Info) -> Instant:
        return Instant(await info.context.changes.last(self.workspace_id, self.id, self.started_at))

    @field("The predecessor's since 14 days before the start, the newest first: who has moved, and who is left.")
    async def callers(self, info: Info) -> list[Caller]:
        return [Caller.of(moving) async for moving in info.context.pace.through(self.moving)]

    @classmethod
    def of(cls, progress: run_noun.Progress, now: int) -> Rotation:
        rotation = progress.rotation
        return cls(
            id=strawberry.ID(rotation.id),
            workspace_id=rotation.workspace_id,
            state=progress.state,
            predecessor=ApiKey.of(progress.predecessor, now),
            successor=ApiKey.of(progress.successor, now),
            started_at=Instant(rotation.started_at),
            started_by=Actor.of(rotation.started_by),
            deadline=Instant(rotation.deadline),
            deadline_passed=progress.deadline_passed,
            on_deadline=rotation.on_deadline,
            quiet_period_seconds=rotation.quiet_period // SECOND,
            quiet_since=Instant(progress.quiet_since),
            ready_at=instant(progress.ready_at),
            ended_at=Instant(rotation.ending.at) if rotation.ending else None,
            ended_by=Actor.of(rotation.ending.by) if rotation.ending else None,
            moving=progress.callers,
        )


@extend(Caller, name="apiKey", description="The key that it uses.", requires=Action.READ_KEYS)
async def _key_of(self: Caller, info: Info) -> ApiKey | None:
    return ApiKey.of(await info.context.keys.itself(self.key_id), await info.context.now())


async def _shown(info: Info, key: noun.ApiKey | None) -> ApiKey | None:
    return ApiKey.of(key, await info.context.now()) if key else None


@found_by_id(API_KEY_ID)
async def _key(context: Context, key_id: str) -> ApiKey:
    return ApiKey.of(await keys.get(context.actor, key_id, action=reading(context.actor)), await context.now())


@found_by_id(ROTATION_ID)
async def _rotation(context: Context, rotation_id: str) -> Rotation:
    return Rotation.of(await rotations.get(context.actor, rotation_id), await context.now())


@found_by_id(CALLER_ID)
async def _caller(context: Context, caller_id: str) -> Caller:
    caller = await caller_service.get(context.actor, caller_id)
    return caller_in_rotation(await context.keys.rotation(await context.keys.itself(caller.key_id)))(caller)
