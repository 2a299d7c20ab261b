"""`/graphql` as a plain ASGI application: authenticates, parses and authorizes before it executes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType, execute
from strawberry.execution import optimized_is_awaitable

from app import database, ids
from app.access.actor import Actor, ActorKind, Request
from app.api.errors import formatted
from app.api.execution import http
from app.api.execution.cost import Cost
from app.api.execution.documents import ERRORS_TOLD, Document, Documents
from app.api.execution.http import Body, Refused, Response
from app.api.execution.rate import POINT_SECONDS, Rates, SpentPoints
from app.api.execution.scheduling import Executor, ExpensiveSlots, executor
from app.api.execution.trusted import digest_of, published
from app.api.framework import authorization
from app.api.framework.context import Context
from app.api.schema import ACTIONS, core
from app.asgi import App, Receive, Scope, Send, headers_of
from app.errors import NotAllowed, NotAuthenticated, Unavailable
from app.management_keys import service as management_keys
from app.pace import Pace

_log = logging.getLogger("keydesk.api")
# The time limit of a query: several times what the most expensive one takes on a busy server.
READ_SECONDS: Final = 5.0
# Slows down clients that ignore `Retry-After` or guess tokens and would otherwise be refused hundreds of times a second.
REFUSAL_SECONDS: Final = 0.03
_UNTRUSTED: Final = "With a session only the published operations run here, unchanged. Others need a management key."
_NOBODY: Final = "Sign in, or send a valid management key as a Bearer token."

Describe = Callable[[Scope], Request]
SessionActor = Callable[[Scope], Awaitable[Actor]]
T = TypeVar("T")


class _Unfit(Exception):
    """A document that is refused before execution."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors = errors


class Endpoint:
    """`session_actor` authenticates the dashboard's cookie: it raises NotAuthenticated without a live session, NotAllowed
    for a request that another site may have sent. `explorer` is the page for people, `pace` the process's scheduler.
    `trusted_only`: sessions run published operations only."""

    def __init__(
        self,
        describe: Describe,
        session_actor: SessionActor,
        explorer: App,
        pace: Pace,
        *,
        trusted_only: bool = False,
    ) -> None:
        self._describe, self._session_actor, self._explorer = describe, session_actor, explorer
        self._schema = core()
        self._pace, self._room, self._rates = pace, ExpensiveSlots(), Rates()
        self._documents = Documents(self._schema)
        self._published, self._trusted_only = published(), trusted_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD") and _wants_page(scope):
            await self._explorer(scope, receive, send)
        else:
            request = self._describe(scope)
            await (await self.answer(scope, receive, request)).send(send, request.request_id)

    async def answer(self, scope: Scope, receive: Receive, request: Request) -> Response:
        """The response to any request; maps every failure to its status."""
        try:
            return await self._answer(scope, receive, request)
        except Refused as refusal:
            if refusal.status == 429:
                await asyncio.sleep(REFUSAL_SECONDS)
            return Response(refusal.status, http.error(refusal.code, refusal.message), headers=refusal.headers)
        except NotAuthenticated:
            await asyncio.sleep(REFUSAL_SECONDS)
            return Response(401, http.error("NOT_AUTHENTICATED", _NOBODY), headers={"www-authenticate": _challenge(scope)})
        except NotAllowed as refusal:
            return Response(403, http.error(refusal.code, refusal.message))
        except Unavailable as failure:
            _log.warning("the database could not be asked: %s", failure.internal)
            later = {"retry-after": str(failure.retry_after_seconds)}
            return Response(503, http.error("UNAVAILABLE", failure.message), headers=later)
        except Exception as failure:
            return Response(500, {"errors": formatted([GraphQLError("", original_error=failure)], request.request_id)})

    async def _answer(self, scope: Scope, receive: Receive, request: Request) -> Response:
        if scope["method"] != "POST":
            raise Refused(405, "METHOD_NOT_ALLOWED", "GraphQL is asked with POST.", allow="POST, GET")
        headers = headers_of(scope)
        http.require_json(headers.get("content-type", []))
        http.require_plain(headers.get("content-encoding", []))
        actor = await self._who(scope, headers, request)
        body = http.decode(await http.read_body(receive, headers.get("content-length", [])), self._published)
        if self._trusted_only and actor.kind is ActorKind.USER and digest_of(body.query or "") not in self._published:
            raise Refused(403, "UNTRUSTED_DOCUMENT", _UNTRUSTED)
        content, spent = await self.run(body, actor)
        kind = http.media_type(",".join(headers.get("accept", [])))
        status = 200 if "data" in content or kind == http.LEGACY else 400
        return Response(status, content, kind, spent.headers)

    async def _who(self, scope: Scope, headers: dict[str, list[str]], request: Request) -> Actor:
        """The actor of a Bearer token; only without an Authorization header, that of the session."""
        given = headers.get("authorization", [])
        if not given:
            # One request id for the response, the log and the audit log.
            return replace(await self._session_actor(scope), request=request)
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise NotAuthenticated
        return await management_keys.authenticate(token.strip(), request)

    async def run(self, body: Body, actor: Actor) -> tuple[dict[str, Any], SpentPoints]:
        """`data`, `errors` and `extensions`, and the cost; without `data`, nothing was executed. Raises Refused when the
        caller exceeds a rate limit."""
        request_id = actor.request.request_id
        text = body.query or ""
        # Checked before the document is read, so that a flood of requests is refused cheaply.
        self._rates.require(actor)
        try:
            document, operation, estimate = await self._prepared(text, body, actor)
        except _Unfit as refusal:
            spent = self._rates.spend(actor, 0)
            return {"errors": formatted(refusal.errors, request_id)}, spent
        spent = self._rates.spend(actor, estimate.cost)
        context = Context(actor, self._pace, is_query=operation.operation is OperationType.QUERY)
        async with self._room.for_one_of(actor.workspace_id or actor.id, estimate.cost):
            content = _content(await self._execute(document, operation, body, context, estimate.cost), request_id)
        if "data" not in content:
            self._rates.give_back(actor, estimate.cost)
        return content | {"extensions": {"cost": spent.extension, **context.extensions}}, spent

    async def _prepared(self, text: str, body: Body, actor: Actor) -> tuple[Document, OperationDefinitionNode, Cost]:
        """The document and cost of what is to run; charges for preparing a text that is not cached. Raises _Unfit to refuse it."""
        document, seconds = await self._documents.prepared(text)
        self._rates.charge(actor, seconds / POINT_SECONDS)
        if document.refusal:
            raise document.refusal
        if document.errors:
            raise _Unfit(*document.errors)
        try:
            operation = document.operation(body.operationName)
            estimate = self._documents.cost_of(document, operation, body.variables or {})
            authorization.require(actor, ACTIONS, estimate.coordinates)
        except GraphQLError as error:
            raise _Unfit(error) from None
        except NotAllowed as refusal:
            raise _Unfit(GraphQLError("", original_error=refusal)) from None
        return document, operation, estimate

    async def _execute(
        self, document: Document, operation: OperationDefinitionNode, body: Body, context: Context, cost: int
    ) -> ExecutionResult:
        # A mutation has no time limit: its response may contain a secret, which must not be lost for a slow read beside it.
        if operation.operation is not OperationType.QUERY:
            return await self._result(document, operation, body, context, executor(cost))
        with database.within(READ_SECONDS), database.settled_once():
            return await self._result(document, operation, body, context, executor(cost))

    async def _result(
        self, document: Document, operation: OperationDefinitionNode, body: Body, context: Context, executor_class: type[Executor]
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            document.ast,
            context_value=context,
            variable_values=body.variables,
            operation_name=operation.name.value if operation.name else None,
            max_coercion_errors=ERRORS_TOLD,
            hide_suggestions=True,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # it lacks only the TypeGuard
            executor_class=executor_class,
        )
        return result if isinstance(result, ExecutionResult) else await result


async def refuse_host(send: Send) -> None:
    """Answers 421: the host name is not ours."""
    message = "This address does not belong to this Keydesk. Set KEYDESK_PUBLIC_URL to the one people use."
    await Response(421, http.error("MISDIRECTED_REQUEST", message)).send(send, ids.new(ids.REQUEST))


def _content(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    errors = result.errors or []
    # graphql-core also returns `data: null` for variables that it refused before execution.
    executed = result.data is not None or any(error.path is not None for error in errors)
    content: dict[str, Any] = {"errors": formatted(errors, request_id)} if errors else {}
    return content | ({"data": result.data} if executed else {})


def _challenge(scope: Scope) -> str:
    presented = "authorization" in headers_of(scope)
    return 'Bearer realm="keydesk"' + (', error="invalid_token"' if presented else "")


def _wants_page(scope: Scope) -> bool:
    accept = ",".join(headers_of(scope).get("accept", ["*/*"]))
    return "text/html" in accept or "*/*" in accept
