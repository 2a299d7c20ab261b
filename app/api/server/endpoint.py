"""`/graphql` as a plain ASGI application: authenticates and reads the request, and answers with one result or a stream of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from graphql import GraphQLError, OperationType

from app import ids
from app.access.actor import Actor, Request
from app.api.errors import formatted
from app.api.execution import http
from app.api.execution.http import Refused, Response
from app.api.execution.rate import SpentPoints
from app.api.framework.context import Subscriber
from app.api.server.event_stream import EventStream, only
from app.api.server.operations import Operations, Unfit
from app.asgi import App, Receive, Scope, Send, headers_of
from app.errors import NotAllowed, NotAuthenticated, Unavailable
from app.live import Live
from app.management_keys import service as management_keys
from app.operator_keys import service as operator_keys

_log = logging.getLogger("keydesk.api")
# Slows down clients that ignore `Retry-After` or guess tokens and would otherwise be refused hundreds of times a second.
REFUSAL_SECONDS: Final = 0.03
_NOBODY: Final = "Sign in, or send a valid management key as a Bearer token."
_NEEDS_STREAM: Final = (
    f"A subscription is answered with events: send `Accept: {http.STREAM}`, or use a WebSocket (`graphql-transport-ws`)."
)

Describe = Callable[[Scope], Request]


class SessionActor(Protocol):
    """Authenticates the dashboard's cookie: raises NotAuthenticated without a live session, NotAllowed for a request that another
    site may have sent. `touch`: this counts as activity."""

    async def __call__(self, scope: Scope, *, touch: bool = True) -> Actor: ...


class Endpoint:
    """`explorer` is the page for people, `live` watches what subscriptions are about."""

    def __init__(self, describe: Describe, session_actor: SessionActor, explorer: App, operations: Operations, live: Live) -> None:
        self._describe, self._session_actor, self._explorer = describe, session_actor, explorer
        self.operations, self._live = operations, live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD") and _wants_page(scope):
            await self._explorer(scope, receive, send)
        else:
            request = self._describe(scope)
            await (await self.answer(scope, receive, request)).send(send, request.request_id)

    async def answer(self, scope: Scope, receive: Receive, request: Request) -> Response | EventStream:
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

    async def who(self, scope: Scope, request: Request, *, touch: bool = True) -> Actor:
        """The actor of a Bearer token; only without an Authorization header, that of the session. Raises NotAuthenticated, and
        NotAllowed for a session's request that another site may have sent."""
        given = headers_of(scope).get("authorization", [])
        if not given:
            # One request id for the response, the log and the audit log.
            return replace(await self._session_actor(scope, touch=touch), request=request)
        if len(given) > 1:
            raise NotAuthenticated
        return await bearer(given[0], request)

    async def _answer(self, scope: Scope, receive: Receive, request: Request) -> Response | EventStream:
        if scope["method"] != "POST":
            raise Refused(405, "METHOD_NOT_ALLOWED", "Send GraphQL requests with POST.", allow="POST, GET")
        headers = headers_of(scope)
        http.require_json(headers.get("content-type", []))
        http.require_plain(headers.get("content-encoding", []))
        actor, accept = await self.who(scope, request), ",".join(headers.get("accept", []))
        body = http.decode(await http.read_body(receive, headers.get("content-length", [])), self.operations.published)
        try:
            prepared = await self.operations.prepare(body, actor)
        except Unfit as unfit:
            content, spent = self.operations.refuse(unfit, actor)
        else:
            if prepared.kind is OperationType.SUBSCRIPTION:
                if not http.accepts_stream(accept):
                    raise Refused(406, "NOT_ACCEPTABLE", _NEEDS_STREAM)
                again = functools.partial(self.who, scope, request, touch=False)
                subscriber = Subscriber(self._live, again, actor, next(iter(headers.get("last-event-id", [])), None))
                return EventStream(self.operations.events(prepared, subscriber), receive, self._live.stopping)
            content, spent = await self.operations.run(prepared, actor)
        return self._one(content, spent, accept, receive)

    def _one(self, content: dict[str, object], spent: SpentPoints, accept: str, receive: Receive) -> Response | EventStream:
        if http.accepts_stream(accept) and not http.accepts_json(accept):
            return EventStream(only(content), receive, self._live.stopping, spent.headers)
        kind = http.media_type(accept)
        status = 200 if "data" in content or kind == http.LEGACY else 400
        return Response(status, content, kind, spent.headers)


async def bearer(authorization: str, request: Request) -> Actor:
    """The actor of `Bearer fl_mgmt_…`, a management key or an operator key. Raises NotAuthenticated."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated
    # Every secret that is refused takes both look-ups.
    with contextlib.suppress(NotAuthenticated):
        return await management_keys.authenticate(token.strip(), request)
    return await operator_keys.authenticate(token.strip(), request)


async def refuse_host(send: Send) -> None:
    """Answers 421: the host name is not ours."""
    message = "This address does not belong to this Keydesk. Set KEYDESK_PUBLIC_URL to the one people use."
    await Response(421, http.error("MISDIRECTED_REQUEST", message)).send(send, ids.new(ids.REQUEST))


def _challenge(scope: Scope) -> str:
    presented = "authorization" in headers_of(scope)
    return 'Bearer realm="keydesk"' + (', error="invalid_token"' if presented else "")


def _wants_page(scope: Scope) -> bool:
    accept = ",".join(headers_of(scope).get("accept", ["*/*"]))
    return "text/html" in accept or "*/*" in accept
