"""Checks host, session and origin before any page or GraphQL request is handled.

An unsafe request must come from our own pages (`Sec-Fetch-Site: same-origin`, or the exact `Origin` of a browser too old to
say) and, once a user is signed in, carry the token that is bound to this very session (OWASP CSRF cheat sheet).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from app import ids
from app.access.actor import Actor, Request
from app.addresses import origin_of
from app.asgi import App, Receive, Scope, Send, header
from app.errors import NotAllowed, NotAuthenticated
from app.peppers import service as peppers
from app.sessions import service as sessions
from app.sessions.session import Session, csrf_token
from app.settings import Settings
from app.throttling.service import network_of
from app.users.user import USER_ID
from app.verification.client_address import client_address
from app.web.framework import headers

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A browser that sends more cookies with our name got the others from elsewhere.
MOST_TOKENS: Final = 4
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,200}")
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class CrossSiteRequest(NotAllowed):
    """An unsafe request that does not come from one of our own pages."""

    def __init__(self) -> None:
        super().__init__("This form was not sent from a page of your session. Reload the page and try again.")


class SessionRenewed(CrossSiteRequest):
    """A form of one of our own pages with the token of an older session: another tab has signed in or renewed the session since."""


class FormOfAnotherUser(CrossSiteRequest):
    """A form that a previously signed-in user filled in."""

    def __init__(self) -> None:
        NotAllowed.__init__(self, "Someone else filled this form in and has signed out since. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in user of a request; `token` is the value of their session cookie."""

    session: Session
    token: str = field(repr=False)
    request: Request

    @property
    def csrf_token(self) -> str:
        """It begins with the user's id, so that a form identifies its author even after the session has ended."""
        return f"{self.session.user.id}.{csrf_token(self.token, peppers.current().current)}"

    @property
    def actor(self) -> Actor:
        return self.session.actor(self.request)


class SessionAuth:
    """Authenticates requests by session cookie and checks their origin."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cookie_name = "keydesk-session" if settings.dev else "__Host-keydesk-session"
        url = urlsplit(settings.origin)
        self._origins = {settings.origin}
        if settings.dev:
            self._origins |= {origin_of("http", host, settings.port) for host in LOOPBACK}
        self._hosts = {urlsplit(origin).netloc for origin in self._origins} | {url.netloc}

    @property
    def loses_session_cookie(self) -> bool:
        """Whether browsers will drop the session cookie, because it is `Secure` and the site is used over plain http."""
        url = urlsplit(self._settings.origin)
        return url.scheme == "http" and not self._settings.dev and url.hostname not in ("localhost", "127.0.0.1", "::1")

    def wrap(self, app: App, refuse: Callable[[Send], Awaitable[None]] = headers.refuse_host) -> App:
        """Wraps `app`: refuses other hosts, so that no link in an answer leads to another site, and adds the security headers."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            secured = headers.with_security_headers(send, https=not self._settings.dev)
            if header(scope, b"host").lower() in self._hosts:
                await app(scope, receive, secured)
            else:
                await refuse(secured)

        return guarded

    def wrap_socket(self, app: App) -> App:
        """Wraps an application of WebSockets: refuses other hosts, and pages of other sites, which browsers let connect here."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            origin = header(scope, b"origin")
            if header(scope, b"host").lower() in self._hosts and (not origin or origin in self._origins):
                await app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})

        return guarded

    def describe(self, scope: Mapping[str, Any]) -> Request:
        """The client of a request; its address is the peer's or, behind a trusted proxy, the forwarded one."""
        return Request(self._address(scope), header(scope, b"user-agent"), ids.new(ids.REQUEST))

    def network(self, scope: Mapping[str, Any]) -> str:
        """The network that is counted as one caller."""
        return network_of(self._address(scope))

    async def find_visitor(self, scope: Mapping[str, Any], *, touch: bool = True) -> Visitor | None:
        """The user of the session cookie; None without a live session. `touch`: the request may count as activity."""
        for token in self._tokens(scope):
            if session := await sessions.find(token, touch=touch and not _is_by_itself(scope)):
                return Visitor(session, token, self.describe(scope))
        return None

    async def session_actor(self, scope: Mapping[str, Any], *, touch: bool = True) -> Actor:
        """The actor of a GraphQL request with a session. Raises NotAuthenticated or CrossSiteRequest.

        A WebSocket, over which nothing is changed, has no token: browsers cannot add one, and always send their origin.
        """
        visitor = await self.find_visitor(scope, touch=touch)
        if visitor is None:
            raise NotAuthenticated
        self.require_same_origin(scope)
        if scope["type"] == "http":
            require_token(visitor, header(scope, b"x-csrf-token"))
        return visitor.actor

    def require_same_origin(self, scope: Mapping[str, Any]) -> None:
        """Raises CrossSiteRequest unless the browser's headers show that one of our own pages sent the request."""
        site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
        if site != "same-origin" if site else origin not in self._origins:
            raise CrossSiteRequest
        # A page without a referrer sends the origin `null`; then `Sec-Fetch-Site` decides, which no page can forge.
        if origin and origin not in self._origins and not (site and origin == "null"):
            raise CrossSiteRequest

    def cookie(self, token: str) -> str:
        """The header that sets the session cookie until the browser closes; the server expires the session by its own clock."""
        return f"{self.cookie_name}={token}; Path=/; HttpOnly; SameSite=Lax{'' if self._settings.dev else '; Secure'}"

    def no_cookie(self) -> str:
        """The header that deletes the session cookie."""
        return f"{self.cookie('')}; Max-Age=0"

    def _tokens(self, scope: Mapping[str, Any]) -> list[str]:
        """The values of cookies with our name, at most a few.

        A browser sends the cookies of every application on this host and its parent domains, well-formed or not; some may have our
        name. None of them may disturb ours (RFC 6265 section 5.4: a server cannot rely on their order).
        """
        lines = (value for name, value in scope["headers"] if name.lower() == b"cookie")
        pairs = (pair.partition("=") for line in lines for pair in line.decode("latin-1").split(";"))
        found = (value.strip().strip('"') for name, _, value in pairs if name.strip() == self.cookie_name)
        return [token for token in dict.fromkeys(found) if _TOKEN.fullmatch(token)][:MOST_TOKENS]

    def _address(self, scope: Mapping[str, Any]) -> str:
        return client_address(scope, self._settings.trusted_proxies) or ""


def _is_by_itself(scope: Mapping[str, Any]) -> bool:
    """Whether an open page sent the request by itself, without any action of the user."""
    return bool(scope.get("method") == "GET" and scope["query_string"].partition(b"=")[0] == b"poll")


def require_token(visitor: Visitor, given: str) -> None:
    """Raises CrossSiteRequest unless `given` is this session's token: SessionRenewed or FormOfAnotherUser if it names a user."""
    if not hmac.compare_digest(visitor.csrf_token.encode(), given.encode("utf-8", "surrogatepass")):
        if user_id := user_id_in(given):
            raise SessionRenewed if user_id == visitor.session.user.id else FormOfAnotherUser
        raise CrossSiteRequest


def user_id_in(given: str) -> str:
    """The user id that a token names; empty for any other text. It is unverified."""
    user_id = given.partition(".")[0]
    return user_id if ids.is_a(USER_ID, user_id) else ""
