"""The one place where the parts are joined: `/v1/*` and `/graphql` as bare ASGI, everything else through Litestar."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from app import metrics, start
from app.api.endpoint import Endpoint, refuse_host
from app.api.explorer import Explorer, Visitor
from app.api.schema import core
from app.health import PATHS as HEALTH_PATHS
from app.health import Health
from app.housekeeping import housekeeping
from app.pace import Pace, Share, Urgency
from app.settings import Settings
from app.verification.routes import Verification
from app.web.gate import Gate
from app.web.site import Site

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The server has waited for them before; this is for one that does not.
_PATIENCE_SECONDS: Final = 1
# Of the event loop while keys are being verified; with live pages' share that is a fifth.
PAGES_SHARE: Final = 0.1
HEALTH_SHARE: Final = 0.05


class Keydesk:
    """The ASGI application. A server that speaks lifespan opens it; others, and tests, enter `running()` themselves."""

    def __init__(self, settings: Settings, *, with_journal: bool = True) -> None:
        self.settings = settings
        self._with_journal = with_journal
        # Set when the end has come: what would go on for ever ends then.
        self.stopping = asyncio.Event()
        self._verifying = Urgency()
        self._pace = Pace(self._verifying.lasts)
        self._verification = Verification(settings)
        self.health = Health(self._verification.fault)
        self._gate = Gate(settings)
        site = Site(settings, self._gate, self.stopping)
        explorer = Explorer(core(), self._visitor, site.static_url)
        graphql = Endpoint(self._gate.describe, self._gate.session_actor, explorer, self._pace)
        self._graphql: App = metrics.counting("graphql", self._gate.in_front_of(graphql, refuse_host))
        pages, health = (Share(share, self._verifying.lasts) for share in (PAGES_SHARE, HEALTH_SHARE))
        self._pages = _within(pages, metrics.counting("dashboard", self._gate.in_front_of(site)))
        self._metrics = _within(pages, self.health)
        # In a line of its own: health checks do not wait behind pages.
        self._health = _within(health, self.health)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open: database migrated, pepper recognised, verification ready, housekeeping at work."""
        async with start.opened(self.settings, make=True, with_journal=self._with_journal), housekeeping():
            await self._verification.open()
            try:
                yield
                await self._finish()
            finally:
                await self._verification.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self._under_way += 1
        try:
            await self._route(scope)(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _visitor(self, scope: Mapping[str, Any]) -> Visitor | None:
        found = await self._gate.who(scope)
        return Visitor(found.session.user.id, found.session.user.name) if found else None

    def _route(self, scope: Scope) -> App:
        if scope["type"] != "http":
            return _closed
        found = self._named(scope["path"])
        # Written with escapes, the path passes a proxy that closes it as it is written here; nobody needs them to ask for it.
        return _absent if found != self._pages and b"%" in (scope.get("raw_path") or b"") else found

    def _named(self, path: str) -> App:
        if path in HEALTH_PATHS:
            return self._metrics if path == "/metrics" else self._health
        # All that anybody may mean by it: a program that mistyped hears so in its own words, not in a page's.
        if path.split("/")[1:2] in (["v1"], ["V1"]):
            return self._verify if self.settings.role != "control" else _absent
        if self.settings.role == "verify":
            return _absent
        return self._graphql if path == "/graphql" else self._pages

    async def _verify(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._verifying.note()
        await self._verification(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._stack.enter_async_context(self.running())
        except Exception as failure:
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _finish(self) -> None:
        """Requests that came before the end still get their answers."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self._under_way:
                    self._idle.clear()
                    await self._idle.wait()


def create_app(settings: Settings | None = None, *, with_journal: bool = True) -> Keydesk:
    """The application of these settings, or of the environment's. Raises StartRefused for wrong ones.

    Without `with_journal` what the revocation journal names and the database has living stays alive.
    """
    return Keydesk(settings or Settings.load(os.environ), with_journal=with_journal)


def _within(share: Share, app: App) -> App:
    async def shared(scope: Scope, receive: Receive, send: Send) -> None:
        await share.of(functools.partial(app, scope, receive, send))

    return shared


async def _absent(scope: Scope, receive: Receive, send: Send) -> None:
    body = b"This node does not serve this.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _closed(scope: Scope, receive: Receive, send: Send) -> None:
    """No WebSockets are served."""
    await send({"type": "websocket.close", "code": 4403})
