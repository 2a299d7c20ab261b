"""Subscriptions: a key was used, a rotation has changed, an alert was raised."""

from __future__ import annotations

import contextlib
from typing import Annotated

import strawberry

from app.access.policy import Action
from app.alerts import service as alerts
from app.api.alerts import Alert
from app.api.framework.context import Info
from app.api.framework.cursors import decode_cursor, encode_cursor
from app.api.framework.decorators import field, object_type, subscription
from app.api.framework.events import After, Events, SubscriptionEvent, changes, resumed_after, subscriber_of
from app.api.framework.scalars import BigInt, Instant, instant, unset_to_none
from app.api.key_types import ApiKey, Rotation
from app.keys import service as keys
from app.rotations import rotation as run_noun
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.usage import service as usage
from app.usage.usage import Counts, Totals
from app.versions import version_of


@object_type(
    "A key was used. One event for all requests since the previous one, at most one a second, so the sum over events is exact.",
    requires=Action.READ_USAGE,
)
class ApiKeyUsedEvent(SubscriptionEvent):
    requests: BigInt = strawberry.field(
        description="Since the previous event, or since `after`; 0 in a first event, which says where the count begins."
    )
    successful_requests: BigInt = strawberry.field(description="Of these, those that were accepted, or reported as successful.")
    failed_requests: BigInt = strawberry.field(description="Of these, all others.")
    total_requests: BigInt = strawberry.field(description="All requests with the key up to now.")
    last_used_at: Instant | None = strawberry.field(description="When the key itself was good and was last presented; null: never.")
    key_id: strawberry.Private[str]

    @field("The key as it is now.", requires=Action.READ_KEYS)
    async def api_key(self, info: Info) -> ApiKey | None:
        return ApiKey.of(await info.context.keys.itself(self.key_id), await info.context.now())

    @classmethod
    def of(cls, key_id: str, cursor: str, totals: Totals, before: Counts) -> ApiKeyUsedEvent:
        successful, failed = totals.counts.successful - before.successful, totals.counts.failed - before.failed
        return cls(
            cursor=cursor,
            requests=BigInt(successful + failed),
            successful_requests=BigInt(successful),
            failed_requests=BigInt(failed),
            total_requests=BigInt(totals.counts.total),
            last_used_at=instant(totals.last_used_at),
            key_id=key_id,
        )


@object_type(
    "A rotation has changed: its state, deadline or keys, or which callers have moved. Not every request is a change.",
    requires=Action.READ_ROTATIONS,
)
class RotationChangedEvent(SubscriptionEvent):
    rotation: Rotation = strawberry.field(description="The run as it is now.")


@object_type("An alert was raised.", requires=Action.READ_KEYS)
class AlertRaisedEvent(SubscriptionEvent):
    alert: Alert | None = strawberry.field(
        description="The alert; null only in the first event of a stream without `after`, which says where it begins."
    )


@strawberry.type(
    description=(
        "Events, over a WebSocket (`graphql-transport-ws`) or as server-sent events. A stream begins with an event at once,\n"
        "unless `after` says where to resume and nothing has happened since. Each event costs what a query with its fields does."
    )
)
class Subscription:
    @subscription("An event whenever requests with the key were counted, accepted or not.", requires=Action.READ_USAGE)
    async def api_key_used(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Of an API key.")],
        after: After = strawberry.UNSET,
    ) -> Events[ApiKeyUsedEvent]:
        subscriber = subscriber_of(info)
        key = await keys.get(subscriber.actor, id, action=Action.READ_USAGE)
        access = await subscriber.access(Action.READ_USAGE, key.workspace_id)
        name, given, now = f"{key.id} used", resumed_after(info, after), await usage.use_so_far(access, key)
        sent = Counts(*decode_cursor(name, given)) if given is not None else None
        if sent is not None and sent.total > now.counts.total:  # a backup was restored
            sent = now.counts
        watched = changes(info, usage.watched_use(access, key), now, Action.READ_USAGE)
        async with contextlib.aclosing(watched):
            async for change in watched:
                # Another node may have counted and sent more than this one has read.
                if change is None or (sent is not None and change[0].counts.total <= sent.total):
                    yield None
                    continue
                totals, counts = change[0], change[0].counts
                cursor = encode_cursor(name, (counts.successful, counts.failed))
                yield ApiKeyUsedEvent.of(key.id, cursor, totals, counts if sent is None else sent)
                sent = counts

    @subscription("An event whenever a rotation has changed. Completes with the rotation.", requires=Action.READ_ROTATIONS)
    async def rotation_changed(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Of a rotation.")],
        after: After = strawberry.UNSET,
    ) -> Events[RotationChangedEvent]:
        subscriber = subscriber_of(info)
        now = await rotations.get(subscriber.actor, id)
        access = await subscriber.access(Action.READ_ROTATIONS, now.rotation.workspace_id)
        name, given = f"{now.rotation.id} changed", resumed_after(info, after)
        sent = decode_cursor(name, given) if given is not None else None
        watched = changes(info, rotations.watched(access, now, _shown_part), now, Action.READ_ROTATIONS)
        async with contextlib.aclosing(watched):
            async for change in watched:
                if change is None:
                    yield None
                    continue
                progress, access = change
                if (shown := (version_of(_shown_part(progress)),)) != sent:
                    yield RotationChangedEvent(cursor=encode_cursor(name, shown), rotation=Rotation.of(progress, access.now))
                    sent = shown
                if not progress.is_open:
                    return

    @subscription("An event for each alert of a workspace, from the first to the last.", requires=Action.READ_KEYS)
    async def alert_raised(
        self,
        info: Info,
        workspace: Annotated[
            str | None, strawberry.argument(description="Its slug; left out: the caller's only workspace.")
        ] = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> Events[AlertRaisedEvent]:
        subscriber = subscriber_of(info)
        access = await tenancy.reading(subscriber.actor, unset_to_none(workspace), Action.READ_KEYS)
        # Also the cursor of an alert in the list `Workspace.alerts`.
        name, given, newest = f"{access.workspace.id} alerts", resumed_after(info, after), await alerts.newest_position(access)
        sent = decode_cursor(name, given) if given is not None else None
        watched = changes(info, alerts.watched(access), newest, Action.READ_KEYS)
        async with contextlib.aclosing(watched):
            async for change in watched:
                if change is None:
                    yield None
                    continue
                access = change[1]
                if sent is None:
                    sent = newest
                    yield AlertRaisedEvent(cursor=encode_cursor(name, sent), alert=None)
                while (alert := await alerts.first_after(access, sent)) is not None:
                    sent = (alert.at, alert.id)
                    yield AlertRaisedEvent(cursor=encode_cursor(name, sent), alert=Alert.of(alert, access.now))
                    access = await subscriber.access(Action.READ_KEYS, access.workspace.id)


def _shown_part(progress: run_noun.Progress) -> object:
    """What must have changed for another event."""
    callers = tuple((each.caller.id, each.moved, each.dismissed) for each in progress.callers)
    keys_of = tuple((key.id, key.suspended_at, key.revocation) for key in (progress.predecessor, progress.successor))
    return progress.state, progress.rotation, progress.deadline_passed, callers, keys_of
