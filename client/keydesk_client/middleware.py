"""The middleware: no request reaches the application unless Keydesk has verified its key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

import httpx

from keydesk_client.address import TrustedProxies
from keydesk_client.asgi import ASGIApp, Receive, Scope, Send
from keydesk_client.client import Keydesk
from keydesk_client.credential import BadCredential, find_key, header
from keydesk_client.declared import declared
from keydesk_client.errors import KeydeskRefused, KeydeskUnavailable
from keydesk_client.exchange import Exchange
from keydesk_client.lifespan import Lifespan
from keydesk_client.outcome import Outcome, tidy_user_agent
from keydesk_client.refusal import Refusal
from keydesk_client.reporter import Reporter
from keydesk_client.rules import CLOSED, PUBLIC, Access, Requirement, Rules
from keydesk_client.verdict import KeydeskKey, Verdict

logger = logging.getLogger("keydesk_client")

_FULL_RETRY_AFTER_SECONDS: Final = 5


class RequestDetails(TypedDict):
    """Details of a request that are sent with its verification and with its outcome."""

    permission: str | None
    ip: str | None
    user_agent: str | None


class KeydeskMiddleware:
    """Wraps any ASGI application: `app = KeydeskMiddleware(app, url=…, token=…, permissions={"GET /pdfs": "pdf.read"})`.

    `permissions` maps a method and a path to a permission, PUBLIC, ANY_KEY or CLOSED; the first matching rule decides, and a
    request that matches none is refused. Without it, the table is read from the handlers' `@permission`. `environment`: only
    keys of this environment pass. `trusted_proxies`: networks (or `unix`) whose X-Forwarded-For is trusted. A verification
    takes `timeout_seconds` at most, the last reports at shutdown `drain_seconds`. `pass_on_notices`: adds `Deprecation` and
    `Sunset` to responses to callers whose key is being replaced or expires soon.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        url: str,
        token: str,
        permissions: Mapping[str, Requirement] | None = None,
        environment: str | None = None,
        trusted_proxies: Iterable[str] = (),
        timeout_seconds: float = 2.0,
        drain_seconds: float = 10.0,
        pass_on_notices: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError for invalid settings, and TypeError for an app whose handlers cannot be read."""
        self.app = app
        self._rules = Rules(declared(app) if permissions is None else permissions)
        self._environment = environment
        self._proxies = TrustedProxies(trusted_proxies)
        self._keydesk = Keydesk(url, token, timeout_seconds=timeout_seconds, transport=transport)
        self._reporter = Reporter(self._keydesk.report)
        self._drain_seconds = drain_seconds
        self._pass_on_notices = pass_on_notices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http" | "websocket":
                await self._guard(scope, receive, send)
            case "lifespan":
                await Lifespan(receive, send, self.aclose).run(self.app, scope)
            case kind:
                raise RuntimeError(f"{kind!r} is no kind of request that could be checked")

    async def aclose(self) -> None:
        """Reports all outcomes. Only for servers without lifespan; otherwise this happens at the end of the lifespan."""
        if left := await self._reporter.flush(self._drain_seconds):
            logger.error("%d outcomes could not be reported before the end", left)
        await self._keydesk.aclose()

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        requirement = self._rules.requirement(scope)
        if requirement is PUBLIC:
            await self.app(scope, receive, send)
            return
        details = self._details(scope, requirement)
        try:
            key = await self._authorize(scope, requirement, details)
        except Refusal as refusal:
            await refusal.send(scope, send)
            return
        if self._pass_on_notices and key.notice is not None:
            send = key.notice.add_headers(send)
        exchange = Exchange(receive, send, lambda status: self._reporter.add(Outcome(key_id=key.id, status=status, **details)))
        # A copy, as ASGI requires: outer middleware must not see the key of this request.
        await exchange.run(self.app, {**scope, "keydesk": key})

    def _details(self, scope: Scope, requirement: Requirement) -> RequestDetails:
        return {
            "permission": None if isinstance(requirement, Access) else requirement,
            "ip": self._proxies.caller(scope),
            "user_agent": tidy_user_agent(header(scope, b"user-agent") or ""),
        }

    async def _authorize(self, scope: Scope, requirement: Requirement, details: RequestDetails) -> KeydeskKey:
        """Returns the verified key; raises Refusal if the request may not pass."""
        if requirement is CLOSED:
            raise Refusal.closed()
        try:
            key = find_key(scope)
        except BadCredential as error:
            raise Refusal.bad_credential(error) from None
        if key is None:
            raise Refusal.without_key()
        if self._reporter.full:
            raise Refusal.unavailable(_FULL_RETRY_AFTER_SECONDS)
        verdict = await self._verify(key, details)
        if verdict.key is None:
            raise Refusal.denied(verdict)
        return verdict.key

    async def _verify(self, key: str, details: RequestDetails) -> Verdict:
        try:
            return await self._keydesk.verify(key, environment=self._environment, outcome_follows=True, **details)
        except KeydeskRefused as error:
            logger.error("requests are refused until this is fixed: %s", error)
            raise Refusal.unavailable(error.retry_after_seconds) from None
        except KeydeskUnavailable as error:
            logger.warning("a request is refused: %s", error)
            raise Refusal.unavailable(error.retry_after_seconds) from None
