"""`/graphql` as a bare ASGI application: who asks, what they ask, whether they may, and only then the answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType, execute
from strawberry.execution import optimized_is_awaitable

from app import database, ids
from app.access import fields
from app.access.actor import Actor, Request
from app.api import http
from app.api.context import Context
from app.api.documents import ERRORS_TOLD, Document, Documents
from app.api.errors import formatted
from app.api.execution import Executor, Room, executor
from app.api.http import Body, Receive, Refused, Response, Scope, Send
from app.api.price import Bill
from app.api.rate import POINT_SECONDS, Rates, Spent
from app.api.schema import core
from app.errors import NotAllowed, NotAuthenticated, Unavailable
from app.management import service as management
from app.pace import Pace

_log = logging.getLogger("keydesk.api")
# All that one query reads: several times what the dearest takes on a busy server.
READ_SECONDS: Final = 5.0
# A client that ignores `Retry-After`, or tries tokens, would otherwise be refused hundreds of times a second.
REFUSAL_SECONDS: Final = 0.03
_NOBODY: Final = "Sign in, or send a valid management key as a Bearer token."

Describe = Callable[[Scope], Request]
SessionActor = Callable[[Scope], Awaitable[Actor]]
T = TypeVar("T")


class _Unfit(Exception):
    """A document that is refused before anything of it runs."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors = errors


class Endpoint:
    """`session_actor` answers for the dashboard's cookie: it raises NotAuthenticated without a living session, NotAllowed
    for a request that another site may have made. `explorer` is the page for people,
    `pace` shared with all else that takes turns."""

    def __init__(
        self,
        describe: Describe,
        session_actor: SessionActor,
        explorer: Callable[[Scope, Receive, Send], Awaitable[None]],
        pace: Pace,
    ) -> None:
        self._describe, self._session_actor, self._explorer = describe, session_actor, explorer
        self._schema = core()
        self._pace, self._room, self._rates = pace, Room(), Rates()
        self._documents = Documents(self._schema)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD") and _wants_page(scope):
            await self._explorer(scope, receive, send)
        else:
            request = self._describe(scope)
            await (await self.answer(scope, receive, request)).send(send, request.request_id)

    async def answer(self, scope: Scope, receive: Receive, request: Request) -> Response:
        """The response, whatever happens: every failure has its status here."""
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
        headers = http.headers_of(scope)
        http.require_json(headers.get("content-type", []))
        http.require_plain(headers.get("content-encoding", []))
        # One id for the answer, the log and the audit log.
        actor = replace(await self._who(scope, headers, request), request=request)
        body = http.decode(await http.read_body(receive, headers.get("content-length", [])))
        content, spent = await self.run(body, actor)
        kind = http.media_type(",".join(headers.get("accept", [])))
        status = 200 if "data" in content or kind == http.LEGACY else 400
        return Response(status, content, kind, spent.headers)

    async def _who(self, scope: Scope, headers: dict[str, list[str]], request: Request) -> Actor:
        """A Bearer token decides alone; without any Authorization header the session does."""
        given = headers.get("authorization", [])
        if not given:
            return await self._session_actor(scope)
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise NotAuthenticated
        return await management.authenticate(token.strip(), request)

    async def run(self, body: Body, actor: Actor) -> tuple[dict[str, Any], Spent]:
        """`data`, `errors` and `extensions`, and what it cost; without `data` nothing was executed. Raises Refused when the
        caller asks for too much in a time."""
        request_id = actor.request.request_id
        text = body.query or ""
        # Before the document is looked at: a flood of refusals ends here.
        self._rates.require(actor)
        try:
            document, operation, bill = await self._prepared(text, body, actor)
        except _Unfit as refusal:
            spent = self._rates.spend(actor, 0)
            return {"errors": formatted(refusal.errors, request_id)}, spent
        spent = self._rates.spend(actor, bill.cost)
        context = Context(actor, self._pace)
        async with self._room.for_one_of(actor.workspace_id or actor.id, bill.cost):
            content = _content(await self._execute(document, operation, body, context, bill.cost), request_id)
        if "data" not in content:
            self._rates.give_back(actor, bill.cost)
        return content | {"extensions": {"cost": spent.extension, **context.extensions}}, spent

    async def _prepared(self, text: str, body: Body, actor: Actor) -> tuple[Document, OperationDefinitionNode, Bill]:
        """What is to run; what a text that is not remembered takes to prepare is charged. Raises _Unfit for what may not run."""
        document, seconds = await self._documents.prepared(text)
        self._rates.charge(actor, seconds / POINT_SECONDS)
        if document.refusal:
            raise document.refusal
        if document.errors:
            raise _Unfit(*document.errors)
        try:
            operation = document.operation(body.operationName)
            bill = self._documents.bill(document, operation, body.variables or {})
            fields.require(actor, bill.coordinates)
        except GraphQLError as error:
            raise _Unfit(error) from None
        except NotAllowed as refusal:
            raise _Unfit(GraphQLError("", original_error=refusal)) from None
        return document, operation, bill

    async def _execute(
        self, document: Document, operation: OperationDefinitionNode, body: Body, context: Context, cost: int
    ) -> ExecutionResult:
        # A mutation has none: its answer holds what is shown once, and may not be lost for what is read beside it.
        limit = database.within(READ_SECONDS) if operation.operation is OperationType.QUERY else contextlib.nullcontext()
        with limit:
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
    """421: this name is not ours."""
    message = "This address does not belong to this Keydesk. Set KEYDESK_PUBLIC_URL to the one people use."
    await Response(421, http.error("MISDIRECTED_REQUEST", message)).send(send, ids.new(ids.REQUEST))


def _content(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    errors = result.errors or []
    # graphql-core answers `data: null` also for variables that it refused before executing anything.
    executed = result.data is not None or any(error.path is not None for error in errors)
    content: dict[str, Any] = {"errors": formatted(errors, request_id)} if errors else {}
    return content | ({"data": result.data} if executed else {})


def _challenge(scope: Scope) -> str:
    presented = "authorization" in http.headers_of(scope)
    return 'Bearer realm="keydesk"' + (', error="invalid_token"' if presented else "")


def _wants_page(scope: Scope) -> bool:
    accept = ",".join(http.headers_of(scope).get("accept", ["*/*"]))
    return "text/html" in accept or "*/*" in accept
