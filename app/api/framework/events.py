"""Events of subscriptions. Each has a cursor, from which the stream is resumed after an interruption: on any node, also after a
restart, because a cursor is the state that its event has shown, and nothing else is remembered.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Annotated, Final, TypeAlias, TypeVar

import strawberry
from graphql import GraphQLError

from app.access.policy import Action
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info, Subscriber
from app.api.framework.decorators import interface
from app.api.framework.scalars import unset_to_none
from app.errors import Unavailable
from app.live import Kind, Subject, until
from app.tenancy.service import Access

# How often a stream without events checks that its reader still has access, and tells proxies that it is alive.
CHECK_SECONDS: Final = 5.0
MOST_OF_CALLER: Final = 20
MOST_OF_WORKSPACE: Final = 50
MOST: Final = 200

Snapshot = TypeVar("Snapshot")
Event = TypeVar("Event", bound="SubscriptionEvent")
# None: there is none, but the stream is alive.
Events: TypeAlias = AsyncGenerator[Event | None, None]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor of the last event that was received: what has happened since comes first. Left out: from now on."
    ),
]


@interface("What a subscription sends.", requires=ANYONE)
class SubscriptionEvent:
    cursor: str = strawberry.field(description="Where to resume: pass it as `after`, on any node, as late as you like.")


def subscriber_of(info: Info) -> Subscriber:
    """RuntimeError outside a subscription."""
    if info.context.subscriber is None:
        raise RuntimeError("only a subscription has a subscriber")
    return info.context.subscriber


def resumed_after(info: Info, after: str | None) -> str | None:
    """The cursor from which to resume; one that the transport has got from the client is newer than the argument."""
    return subscriber_of(info).after or unset_to_none(after)


async def changes(
    info: Info, subject: Subject[Snapshot], snapshot: Snapshot, action: Action
) -> AsyncGenerator[tuple[Snapshot, Access] | None, None]:
    """The state of the subject with the caller's access to it, first as it is now and then whenever it has changed; None when
    nothing has, from time to time.

    Raises NotAuthenticated, NotFound or NotAllowed once the caller has lost access, Unavailable when the node stops or the
    database does not answer, and GraphQLError when there are too many subscriptions.
    """
    subscriber = subscriber_of(info)
    live, shown = subscriber.live, object()
    with _counted(subscriber, subject.workspace_id), live.watching(subject, snapshot) as topic:
        while True:
            if live.is_over(topic):
                raise Unavailable(internal="a stream ends with the node or its subject")
            access = await live.share.of(lambda: subscriber.access(action, subject.workspace_id))
            changed, part = topic.changed, topic.shown_part
            yield None if part == shown else (topic.snapshot, access)
            shown = part
            await until(changed, CHECK_SECONDS)


@contextlib.contextmanager
def _counted(subscriber: Subscriber, workspace_id: str) -> Iterator[None]:
    limits = {
        f"subscriptions of {subscriber.actor.id}": MOST_OF_CALLER,
        f"subscriptions of {workspace_id}": MOST_OF_WORKSPACE,
        "subscriptions of this node": MOST,
    }
    if (full := subscriber.live.full(limits)) is not None:
        whose = dict(zip(limits, ("you", "this workspace", "this node"), strict=True))[full]
        message = f"There are {limits[full]} subscriptions of {whose} already. End one first."
        raise GraphQLError(message, extensions={"code": "TOO_MANY_SUBSCRIPTIONS"})
    with subscriber.live.counted(Kind.SUBSCRIPTION, limits):
        yield
