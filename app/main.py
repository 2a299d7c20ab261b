"""The composition root: verification and health checks at once, GraphQL and the dashboard as soon as they are built."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from app import start
from app.asgi import App, Receive, Scope, Send, send_text
from app.health import PATHS as HEALTH_PATHS
from app.health import Health
from app.housekeeping import housekeeping
from app.leaks.revocation_routes import SelfRevocation
from app.pace import Pace, RecentActivity, Share
from app.settings import Settings
from app.usage import log as usage_log
from app.verification.routes import SELF, Verification
from app.web.framework.session_auth import SessionAuth

if TYPE_CHECKING:
    from app.control_plane import ControlPlane

# The server has already waited for them; this is for servers that do not.
_PATIENCE_SECONDS: Final = 1
# The share of the event loop while keys are being verified; together with live pages a fifth.
PAGES_SHARE: Final = 0.1
HEALTH_SHARE: Final = 0.05
SELF_SHARE: Final = 0.05
# Litestar imports modules that may be missing whenever an application is made, which two threads must not do at once.
_ONE_BUILD: Final = threading.Lock()
_VERIFYING: Final = ("/v1/", "/V1/")
LEAKS: Final = "/v1/leaks"
SELF_REVOCATION: Final = "/v1/self/revocation"


class Keydesk:
    """The ASGI application. Servers with lifespan support open it; others, and tests, enter `running()` themselves."""

    def __init__(self, settings: Settings, *, with_journal: bool = True, prepared: bool = False) -> None:
        self.settings = settings
        self._with_journal, self._prepared = with_journal, prepared
        # Set at shutdown: ends tasks and streams without an end of their own.
        self.stopping = asyncio.Event()
        self._verifying = RecentActivity()
        self._pace = Pace(self._verifying.lasts)
        self._verification = Verification(settings)
        self.health = Health(self._verification.fault)
        self.health.starting = True
        self._gate = SessionAuth(settings)
        self._building: asyncio.Task[ControlPlane] | None = None
        pages, health = (Share(share, self._verifying.lasts) for share in (PAGES_SHARE, HEALTH_SHARE))
        self._pages = self._within(pages, self._serve_pages)
        self._metrics = self._within(pages, self.health)
        self._leaks = self._within(pages, _leak_reports(settings, self._gate)) if settings.github_keys else None
        # Their callers have no gateway token.
        own = Share(SELF_SHARE, self._verifying.lasts)
        self._self, self._self_revocation = self._within(own, self._verification), self._within(own, SelfRevocation(settings))
        # In a separate queue, so that health checks do not wait behind pages.
        self._health = self._within(health, self.health)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the whole application."""
        async with self.verifying():
            await self.complete()
            yield

    @contextlib.asynccontextmanager
    async def verifying(self) -> AsyncIterator[None]:
        """Runs the application, at first for verification only: database migrated, pepper recognized, verification and housekeeping
        started. Until `complete` has returned, the node is not ready, and requests for GraphQL or a page wait."""
        opened = start.opened(self.settings, make=not self._prepared, with_journal=self._with_journal)
        async with opened, usage_log.folding(), housekeeping():
            await self._verification.open()
            try:
                yield
                await self._finish()
            finally:
                await self._verification.close()

    async def complete(self) -> None:
        """Builds what the node serves besides verification, once, in a thread."""
        if self.settings.role != "verify":
            await self._control_plane()
        self.health.starting = False

    async def compile_templates(self) -> None:
        """Compiles templates in a thread after the start, so that no request waits for it in the event loop."""
        if self.settings.role != "verify":
            await asyncio.to_thread((await self._control_plane()).compile_templates)

    async def _control_plane(self) -> ControlPlane:
        if self._building is None:
            self._building = asyncio.create_task(asyncio.to_thread(self._build))
        # Shielded: the client of the first request may leave while others wait.
        return await asyncio.shield(self._building)

    def _build(self) -> ControlPlane:
        with _ONE_BUILD:
            # Imported here, because it takes a second, in which the node verifies already.
            from app.control_plane import ControlPlane

            return ControlPlane(self.settings, self._gate, self.stopping, self._pace, self._verifying.lasts)

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

    async def _serve_graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._control_plane()).graphql(scope, receive, send)

    async def _serve_sockets(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._control_plane()).sockets(scope, receive, send)

    async def _serve_pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._control_plane()).pages(scope, receive, send)

    def _route(self, scope: Scope) -> App:
        if scope["type"] == "websocket":
            return self._serve_sockets if scope["path"] == "/graphql" and self.settings.role != "verify" else _closed
        found = self._named(scope["path"])
        # With percent-encoding the path would bypass a proxy that blocks the plain path; no client needs that.
        return _absent if found != self._pages and b"%" in (scope.get("raw_path") or b"") else found

    def _named(self, path: str) -> App:
        if path in HEALTH_PATHS:
            return self._metrics if path == "/metrics" else self._health
        if path == LEAKS and self._leaks is not None and self.settings.role != "verify":
            return self._leaks
        if path == SELF_REVOCATION and self.settings.role != "verify":
            return self._self_revocation
        if path == SELF and self.settings.role != "control":
            return self._self
        # Includes misspelled paths below it: a program then gets an error in its own format, not a page.
        if path.startswith(_VERIFYING) or path in ("/v1", "/V1"):
            if self.settings.role == "control":
                return _absent
            self._verifying.note()
            return self._verification
        if self.settings.role == "verify":
            return _absent
        return self._serve_graphql if path == "/graphql" else self._pages

    def _within(self, share: Share, app: App) -> App:
        """Runs within its share; waiting networks take turns, so that none waits behind one that sends without end."""

        async def shared(scope: Scope, receive: Receive, send: Send) -> None:
            await share.of(functools.partial(app, scope, receive, send), lambda: self._gate.network(scope))

        return shared

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
        """Waits for the requests that came before the shutdown."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self._under_way:
                    self._idle.clear()
                    await self._idle.wait()


def create_app(settings: Settings | None = None, *, with_journal: bool = True, prepared: bool = False) -> Keydesk:
    """The application with these settings, by default from the environment. Raises StartRefused for invalid ones.

    Without `with_journal` the revocation journal is not replayed. `prepared`: another process has migrated the database and
    replayed the journal for this start.
    """
    return Keydesk(settings or Settings.load(os.environ), with_journal=with_journal, prepared=prepared)


def _leak_reports(settings: Settings, gate: SessionAuth) -> App:
    """Imported only where it is used: the library for signatures takes memory in each worker."""
    from app.leaks.routes import LeakReports

    return LeakReports(settings.github_keys or "", settings.gateway_tokens, gate.network)


async def _absent(scope: Scope, receive: Receive, send: Send) -> None:
    await send_text(send, 404, "This node does not serve this.\n")


async def _closed(scope: Scope, receive: Receive, send: Send) -> None:
    """No WebSockets are served there: status 403."""
    await send({"type": "websocket.close", "code": 1008})
