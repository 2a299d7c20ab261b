"""`/graphql` over WebSockets, by the protocol `graphql-transport-ws`: who may open one, and how many."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Final

from app.access.actor import Actor, Request
from app.api.server.endpoint import REFUSAL_SECONDS, Describe, Endpoint, bearer
from app.api.server.socket_connection import Authenticate, Connection
from app.api.server.socket_messages import PROTOCOL, Close, next_message, send_close
from app.asgi import Receive, Scope, Send, headers_of
from app.errors import KeydeskError, NotAllowed, NotAuthenticated, Unavailable
from app.live import Kind, Live

INIT_SECONDS: Final = 5.0
# The server receives a message of up to 64 MiB before it can be refused, so connections are few; each carries many subscriptions.
MOST: Final = 100
MOST_OF_CALLER: Final = 5
MOST_OF_WORKSPACE: Final = 10
# Of connections whose client has not said yet who it is.
MOST_UNKNOWN: Final = 8
MOST_UNKNOWN_OF_NETWORK: Final = 4


class Sockets:
    """The ASGI application for WebSockets; other hosts and origins are already refused. `network`: from where a client connects."""

    def __init__(self, endpoint: Endpoint, describe: Describe, network: Callable[[Scope], str], live: Live) -> None:
        self._endpoint, self._describe, self._network, self._live = endpoint, describe, network, live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._describe(scope)
        with contextlib.ExitStack() as places:
            try:
                if PROTOCOL not in scope["subprotocols"]:
                    raise Close(4406, "Subprotocol not acceptable")
                actor = await self._named_in_headers(scope, request)
                self._take(places, self._unknown(scope) if actor is None else _limits(actor))
            except (KeydeskError, Close) as refusal:
                await asyncio.sleep(REFUSAL_SECONDS)
                # The status is 403, because the connection is not accepted yet.
                await send({"type": "websocket.close", "code": refusal.code if isinstance(refusal, Close) else 1008})
                return
            await receive()
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            try:
                again = functools.partial(self._endpoint.who, scope, request, touch=False)
                authenticate, actor = await self._initialized(receive, request, again, actor)
                self._take(places, _limits(actor))
            except Close as close:
                await asyncio.sleep(REFUSAL_SECONDS)
                await send_close(send, close)
                return
            await Connection(self._endpoint.operations, self._live, authenticate, actor, receive, send).run()

    async def _named_in_headers(self, scope: Scope, request: Request) -> Actor | None:
        """None if they say nothing of the client. Raises NotAuthenticated for a bad management key, and NotAllowed."""
        try:
            return await self._endpoint.who(scope, request)
        except NotAuthenticated:
            if "authorization" in headers_of(scope):
                raise
            return None

    async def _initialized(
        self, receive: Receive, request: Request, again: Authenticate, actor: Actor | None
    ) -> tuple[Authenticate, Actor]:
        """Reads `connection_init`, whose payload may contain a management key, for clients that cannot set headers."""
        try:
            async with asyncio.timeout(INIT_SECONDS):
                message = await next_message(receive)
        except TimeoutError:
            raise Close(4408, "Connection initialisation timeout") from None
        if message.type != "connection_init":
            raise Close.unauthorized()
        if (given := message.named("authorization")) is None:
            if actor is None:
                raise Close.forbidden()
            return again, actor
        try:
            authenticate = functools.partial(bearer, given, request)
            return authenticate, await authenticate()
        except (NotAuthenticated, NotAllowed):
            raise Close.forbidden() from None
        except Unavailable:
            raise Close.later() from None

    def _unknown(self, scope: Scope) -> dict[str, int]:
        return {f"sockets of {self._network(scope)}": MOST_UNKNOWN_OF_NETWORK, "unknown sockets": MOST_UNKNOWN}

    def _take(self, places: contextlib.ExitStack, limits: Mapping[str, int]) -> None:
        """Counts the connection here, and no longer where it was counted. Raises Close if it is one too many."""
        places.close()
        if self._live.full(limits) is not None:
            raise Close(4429, "Too many connections")
        places.enter_context(self._live.counted(Kind.SOCKET, limits))


def _limits(actor: Actor) -> dict[str, int]:
    own = {f"sockets of {actor.id}": MOST_OF_CALLER, "sockets": MOST}
    return own if actor.workspace_id is None else {**own, f"sockets of {actor.workspace_id}": MOST_OF_WORKSPACE}
