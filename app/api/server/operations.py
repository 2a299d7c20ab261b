"""Runs operations for all transports: the same limits, prices and errors for one answer as for a stream of events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    execute,
)
from strawberry.execution import optimized_is_awaitable

from app import database
from app.access.actor import Actor, ActorKind
from app.api.errors import formatted
from app.api.execution.cost import Cost
from app.api.execution.documents import ERRORS_TOLD, Document, Documents
from app.api.execution.http import Body, Refused
from app.api.execution.rate import POINT_SECONDS, Rates, SpentPoints
from app.api.execution.scheduling import Executor, ExpensiveSlots, executor
from app.api.execution.trusted import digest_of, published
from app.api.framework import authorization
from app.api.framework.context import Context, Subscriber
from app.api.framework.events import SubscriptionEvent
from app.api.schema import ACTIONS, core
from app.errors import NotAllowed, NotAuthenticated, Unavailable
from app.pace import Pace

# The time limit of a query: several times what the most expensive one takes on a busy server.
READ_SECONDS: Final = 5.0
_OPTIONS: Final[dict[str, Any]] = {
    "max_coercion_errors": ERRORS_TOLD,
    "hide_suggestions": True,
    "is_awaitable": optimized_is_awaitable,
}
_UNTRUSTED: Final = "With a session only the published operations run here, unchanged. Others need a management key."


# What graphql-core takes: schema, document, root, context, variables, and the name of the operation.
_Request: TypeAlias = tuple[GraphQLSchema, DocumentNode, SubscriptionEvent | None, Context, dict[str, Any] | None, str | None]


class Unfit(Exception):
    """A document that is refused before execution."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that may run."""

    body: Body
    document: Document
    operation: OperationDefinitionNode
    estimate: Cost

    @property
    def kind(self) -> OperationType:
        return self.operation.operation


@dataclass(frozen=True, slots=True)
class Event:
    """A result of a subscription; `cursor`: where to resume after it."""

    content: dict[str, Any]
    cursor: str | None = None


class Operations:
    """`pace` is the process's scheduler. `trusted_only`: sessions run published operations only."""

    def __init__(self, pace: Pace, *, trusted_only: bool = False) -> None:
        self._schema = core()
        self._pace, self._room, self._rates = pace, ExpensiveSlots(), Rates()
        self._documents = Documents(self._schema)
        self.published, self._trusted_only = published(), trusted_only

    async def prepare(self, body: Body, actor: Actor) -> Prepared:
        """Raises Unfit for a document that is invalid, too expensive or not allowed; Refused when the caller exceeds a rate limit
        or may not run such documents. Charges for preparing a text that is not cached."""
        if self._trusted_only and actor.kind is ActorKind.USER and digest_of(body.query or "") not in self.published:
            raise Refused(403, "UNTRUSTED_DOCUMENT", _UNTRUSTED)
        # Checked before the document is read, so that a flood of requests is refused cheaply.
        self._rates.require(actor)
        document, seconds = await self._documents.prepared(body.query or "")
        self._rates.charge(actor, seconds / POINT_SECONDS)
        if document.refusal:
            raise document.refusal
        if document.errors:
            raise Unfit(*document.errors)
        try:
            operation = document.operation(body.operationName)
            estimate = self._documents.cost_of(document, operation, body.variables or {})
            authorization.require(actor, ACTIONS, estimate.coordinates)
        except GraphQLError as error:
            raise Unfit(error) from None
        except NotAllowed as refusal:
            raise Unfit(GraphQLError("", original_error=refusal)) from None
        if operation.operation is OperationType.SUBSCRIPTION:
            # Each event has its price; this is for those that never begin.
            self._rates.spend(actor, 0)
        return Prepared(body, document, operation, estimate)

    def refuse(self, unfit: Unfit, actor: Actor) -> tuple[dict[str, Any], SpentPoints]:
        """The answer to an unfit document, at the least price."""
        return {"errors": formatted(unfit.errors, actor.request.request_id)}, self._rates.spend(actor, 0)

    async def run(self, prepared: Prepared, actor: Actor) -> tuple[dict[str, Any], SpentPoints]:
        """`data`, `errors` and `extensions` of a query or mutation, and the cost; without `data`, nothing was executed. Raises
        Refused when the caller exceeds a rate limit."""
        cost = prepared.estimate.cost
        spent = self._rates.spend(actor, cost)
        content = await self._answer(prepared, actor, spent)
        if "data" not in content:
            self._rates.give_back(actor, cost)
        return content, spent

    async def events(self, prepared: Prepared, subscriber: Subscriber) -> AsyncGenerator[Event | None, None]:
        """The events of a subscription, each at its price; None now and then when there is none. What is wrong with it is its last
        event. Raises Unavailable when the client should connect again, NotAuthenticated when it must not."""
        try:
            async with contextlib.aclosing(await self._source(prepared, subscriber)) as source:
                async for event in source:
                    yield await self._event(prepared, subscriber, event) if event is not None else None
        except (NotAuthenticated, Unavailable):
            raise
        except Exception as failure:
            error = failure if isinstance(failure, GraphQLError) else GraphQLError("", original_error=failure)
            yield Event({"errors": formatted([error], subscriber.actor.request.request_id)})

    async def once(self, prepared: Prepared, actor: Actor) -> AsyncGenerator[Event | None, None]:
        """The one result of a query, where a stream is expected."""
        yield Event((await self.run(prepared, actor))[0])

    async def throttle(self, actor: Actor, points: int) -> None:
        """Charges for work without a price of its own, and waits until the caller can pay for it."""
        self._rates.charge(actor, points)
        try:
            self._rates.require(actor)
        except Refused as refusal:
            await asyncio.sleep(float(refusal.headers["retry-after"]))

    async def _source(self, prepared: Prepared, subscriber: Subscriber) -> AsyncGenerator[SubscriptionEvent | None, None]:
        """What the subscription's function yields. Raises GraphQLError for variables that do not fit."""
        context = Context(subscriber.actor, self._pace, is_query=True, subscriber=subscriber)
        built = executor(prepared.estimate.cost).build(*self._request(prepared, context), **_OPTIONS)
        if isinstance(built, list):
            raise built[0]
        found = create_source_event_stream(built)
        stream = await found if isinstance(found, Awaitable) else found
        if isinstance(stream, ExecutionResult):
            raise (stream.errors or [GraphQLError("There are no events.")])[0]
        return cast("AsyncGenerator[SubscriptionEvent | None, None]", stream)

    async def _event(self, prepared: Prepared, subscriber: Subscriber, event: SubscriptionEvent) -> Event:
        """Waits until the caller can pay for it."""
        while True:
            try:
                spent = self._rates.spend(subscriber.actor, prepared.estimate.cost)
                try:
                    content = await self._answer(prepared, subscriber.actor, spent, event)
                except Refused:
                    self._rates.give_back(subscriber.actor, prepared.estimate.cost)
                    raise
            except Refused as refusal:
                await asyncio.sleep(float(refusal.headers["retry-after"]))
                await subscriber.check_again()
            else:
                return Event(content, event.cursor)

    async def _answer(
        self, prepared: Prepared, actor: Actor, spent: SpentPoints, root: SubscriptionEvent | None = None
    ) -> dict[str, Any]:
        context = Context(actor, self._pace, is_query=prepared.kind is not OperationType.MUTATION)
        # A mutation has no time limit: its response may contain a secret, which must not be lost for a slow read beside it.
        async with self._room.for_one_of(actor.workspace_id or actor.id, spent.cost):
            if context.is_query:
                with database.within(READ_SECONDS), database.settled_once():
                    result = await self._result(prepared, context, root)
            else:
                result = await self._result(prepared, context, root)
        content = _content(result, actor.request.request_id)
        return content | {"extensions": {"cost": spent.extension, **context.extensions}}

    async def _result(self, prepared: Prepared, context: Context, root: SubscriptionEvent | None) -> ExecutionResult:
        kind: type[Executor] = executor(prepared.estimate.cost)
        result = execute(*self._request(prepared, context, root), executor_class=kind, **_OPTIONS)
        return result if isinstance(result, ExecutionResult) else await result

    def _request(self, prepared: Prepared, context: Context, root: SubscriptionEvent | None = None) -> _Request:
        name = prepared.operation.name.value if prepared.operation.name else None
        return self._schema, prepared.document.ast, root, context, prepared.body.variables, name


def _content(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    errors = result.errors or []
    # graphql-core also returns `data: null` for variables that it refused before execution.
    executed = result.data is not None or any(error.path is not None for error in errors)
    content: dict[str, Any] = {"errors": formatted(errors, request_id)} if errors else {}
    return content | ({"data": result.data} if executed else {})
