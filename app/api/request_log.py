"""The log of a key's requests: why a request was refused, and what fixes it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.access.policy import Action
from app.api.framework.codes import UsageOutcome
from app.api.framework.connection import Connection, Node, page
from app.api.framework.context import Context, Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import attribute, extend, field, object_type
from app.api.framework.nodes import found_by_id
from app.api.framework.scalars import Instant, Network, unset_to_none
from app.api.key_types import ApiKey
from app.keys import key as keys
from app.request_log import request as noun
from app.request_log import service
from app.request_log.explanation import Remedy, explain
from app.request_log.request import REQUEST_ID

strawberry.enum(Remedy, name="RequestRemedy", description="What fixes the cause of a refusal.")


@object_type("Why a request was answered as it was.", requires=Action.READ_KEYS)
class RequestExplanation:
    cause: str = strawberry.field(description="What decided it, with the rule as it was then, in a sentence.")
    fix: str = strawberry.field(description="What to do if the caller is meant to have access, or what has changed since.")
    remedy: Remedy = strawberry.field(description="The same for programs.")


@object_type(
    "A single request of a key. Its `id` is the `requestId` of the answer. Kept are the latest 100 accepted requests of a key,\n"
    "and the refused ones of 30 days, at most 1,000; of very many at once, only some.",
    requires=Action.READ_USAGE,
)
class Request(Node):
    at: Instant = strawberry.field(description="When it was answered.")
    outcome: UsageOutcome = strawberry.field(description="The verdict.")
    accepted: bool = strawberry.field(description="Whether the key was good for it.")
    permission: str | None = strawberry.field(description="The name asked for; null: it asked for none.")
    network: Network | None = strawberry.field(description="A /24 of IPv4, a /48 of IPv6; null: not known.")
    user_agent: str | None = strawberry.field(description="The program's name without its version; null: not known.")
    api_key: ApiKey = attribute("The key it was made with.", requires=Action.READ_KEYS)
    workspace_id: strawberry.Private[str]
    found: strawberry.Private[noun.LoggedRequest]
    of_key: strawberry.Private[keys.ApiKey]

    @classmethod
    def of(cls, request: noun.LoggedRequest, key: keys.ApiKey, now: int) -> Request:
        known = request.network and "/" in request.network
        return cls(
            id=strawberry.ID(request.id),
            at=Instant(request.at),
            outcome=UsageOutcome(request.outcome),
            accepted=request.is_accepted,
            permission=request.permission,
            network=Network(request.network) if known else None,
            user_agent=request.user_agent or None,
            api_key=ApiKey.of(key, now),
            workspace_id=key.workspace_id,
            found=request,
            of_key=key,
        )

    # It names permissions and addresses of the key.
    @field("Why it was answered so, and what fixes it. Times in it are UTC.", requires=Action.READ_KEYS)
    async def explanation(self, info: Info) -> RequestExplanation:
        found = explain(self.found, self.of_key, await info.context.now(), "UTC")
        return RequestExplanation(cause=found.cause, fix=found.fix, remedy=found.remedy)


@strawberry.input(description="Requests for which all of this is true; what is left out or null filters nothing.")
class RequestFilter:
    accepted: bool | None = strawberry.field(default=strawberry.UNSET, description="Only accepted, or only refused ones.")
    outcome: list[UsageOutcome] | None = strawberry.field(default=strawberry.UNSET, description="One of these verdicts.")
    permission: str | None = strawberry.field(default=strawberry.UNSET, description="The name asked for.")
    search: str | None = strawberry.field(default=strawberry.UNSET, description="A part of the network or of the program's name.")
    since: Instant | None = strawberry.field(default=strawberry.UNSET, description="From this instant on.")
    until: Instant | None = strawberry.field(default=strawberry.UNSET, description="Before this instant.")

    def to_domain(self) -> noun.RequestFilter:
        return noun.RequestFilter(
            accepted=unset_to_none(self.accepted),
            outcomes=tuple(str(outcome) for outcome in unset_to_none(self.outcome) or ()),
            permission=unset_to_none(self.permission),
            search=unset_to_none(self.search) or "",
            since=unset_to_none(self.since),
            until=unset_to_none(self.until),
        )


@extend(
    ApiKey,
    name="requests",
    description="Its logged requests, the newest first; none if the workspace keeps no log.",
    requires=Action.READ_USAGE,
    pages=True,
)
async def _requests(
    self: ApiKey,
    info: Info,
    args: ConnectionArgs,
    filter: Annotated[RequestFilter | None, strawberry.argument(description="Which of them.")] = strawberry.UNSET,
) -> Connection[Request] | None:
    access = await info.context.workspaces.load(self.workspace_id)
    key, now = await info.context.keys.itself(self.id), await info.context.now()
    chosen = unset_to_none(filter)
    wanted = chosen.to_domain() if chosen else noun.RequestFilter()
    name = f"{self.id} requests {wanted}"
    found = await service.requests(access, key, args.of(name), wanted)

    async def count() -> int:
        return await service.count(access, key, wanted)

    return page(name, found, node=lambda each: Request.of(each, key, now), position=lambda each: (each.at, each.id), count=count)


@found_by_id(REQUEST_ID)
async def _by_id(context: Context, request_id: str) -> Request:
    request, key = await service.get(context.actor, request_id)
    return Request.of(request, key, await context.now())
