"""Checks host, session and origin before any page or GraphQL request is handled.

An unsafe request must come from our own pages (`Sec-Fetch-Site: same-origin`, or the exact `Origin` of a browser too old to
say) and, once somebody is signed in, carry the token that is bound to this very session (OWASP CSRF cheat sheet).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from app import ids
from app.access.actor import Actor, Request
from app.accounts import service as accounts
from app.accounts.session import Session, csrf_token
from app.addresses import origin_of
from app.errors import NotAllowed, NotAuthenticated
from app.settings import Settings
from app.verification.requests import forwarded_address
from app.web import headers

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# More cookies of our name than this are not ours.
MOST_TOKENS: Final = 4
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,200}")
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class NotOurs(NotAllowed):
    """An unsafe request that does not come from one of our own pages."""

    def __init__(self) -> None:
        super().__init__("This request did not come from a page of yours here. Reload the page and try again.")


class Renewed(NotOurs):
    """A form of one of our own pages, with the token of another session: it began or was renewed in another tab."""


class FilledByAnother(NotOurs):
    """A form that somebody else filled in, who was signed in before."""

    def __init__(self) -> None:
        NotAllowed.__init__(self, "Somebody else filled this form in and has signed out since. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has signed in: `token` is what their cookie holds."""

    session: Session
    token: str = field(repr=False)
    request: Request

    @property
    def csrf_token(self) -> str:
        """It begins with whose it is, so that a form says who filled it in after its session has ended."""
        return f"{self.session.user.id}.{csrf_token(self.token)}"

    @property
    def actor(self) -> Actor:
        return self.session.actor(self.request)


class Gate:
    """Knows the origin, the cookie's name and the trusted proxies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cookie_name = "keydesk-session" if settings.dev else "__Host-keydesk-session"
        url = urlsplit(settings.origin)
        self._origins = {settings.origin}
        if settings.dev:
            self._origins |= {origin_of("http", host, settings.port) for host in LOOPBACK}
        self._hosts = {urlsplit(origin).netloc for origin in self._origins} | {url.netloc}

    @property
    def keeps_no_session(self) -> bool:
        """Whether browsers will drop the session's cookie: it is `Secure`, and people come over plain http."""
        url = urlsplit(self._settings.origin)
        return url.scheme == "http" and not self._settings.dev and url.hostname not in ("localhost", "127.0.0.1", "::1")

    def in_front_of(self, app: App, refuse: Callable[[Send], Awaitable[None]] = headers.refuse_host) -> App:
        """Refuses hosts that are not ours (a link in an answer must never lead to a stranger's), adds the security headers."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            secured = headers.securing(send, https=not self._settings.dev)
            if header(scope, b"host").lower() in self._hosts:
                await app(scope, receive, secured)
            else:
                await refuse(secured)

        return guarded

    def describe(self, scope: Mapping[str, Any]) -> Request:
        """Where the request came from; the peer's address, or, behind one of our proxies, the one that it forwarded."""
        return Request(self._address(scope), header(scope, b"user-agent"), ids.new(ids.REQUEST))

    async def who(self, scope: Mapping[str, Any]) -> Visitor | None:
        """Whoever the cookie stands for, if their session lives."""
        for token in self._tokens(scope):
            if session := await accounts.session_of(token, note=not _is_by_itself(scope)):
                return Visitor(session, token, self.describe(scope))
        return None

    async def session_actor(self, scope: Mapping[str, Any]) -> Actor:
        """For GraphQL by session. Raises NotAuthenticated without one, NotOurs for what another site may have sent."""
        visitor = await self.who(scope)
        if visitor is None:
            raise NotAuthenticated
        self.require_ours(scope)
        require_token(visitor, header(scope, b"x-csrf-token"))
        return visitor.actor

    def require_ours(self, scope: Mapping[str, Any]) -> None:
        """Raises NotOurs unless the browser says that one of our own pages sent this."""
        site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
        if site != "same-origin" if site else origin not in self._origins:
            raise NotOurs
        # A page that sends no referrer has the origin `null`; then the browser's own word, which no page can forge, decides.
        if origin and origin not in self._origins and not (site and origin == "null"):
            raise NotOurs

    def cookie(self, token: str) -> str:
        """The header that signs a browser in, for as long as it is open; the server ends it by its own clock."""
        return f"{self.cookie_name}={token}; Path=/; HttpOnly; SameSite=Lax{'' if self._settings.dev else '; Secure'}"

    def no_cookie(self) -> str:
        """The header that makes a browser forget it."""
        return f"{self.cookie('')}; Max-Age=0"

    def _tokens(self, scope: Mapping[str, Any]) -> list[str]:
        """What cookies of our name hold, at most a few.

        A browser sends the cookies of every application on this host and above it, well-formed or not, and some may have our
        name; none of that decides about ours (RFC 6265 section 5.4: a server cannot rely on their order).
        """
        lines = (value for name, value in scope["headers"] if name.lower() == b"cookie")
        pairs = (pair.partition("=") for line in lines for pair in line.decode("latin-1").split(";"))
        found = (value.strip().strip('"') for name, _, value in pairs if name.strip() == self.cookie_name)
        return [token for token in dict.fromkeys(found) if _TOKEN.fullmatch(token)][:MOST_TOKENS]

    def _address(self, scope: Mapping[str, Any]) -> str:
        peer = scope.get("client")
        try:
            address = ipaddress.ip_address(peer[0]) if peer else None
        except ValueError:
            return ""
        if address is not None and not any(address in network for network in self._settings.trusted_proxies):
            return str(address)
        forwarded = forwarded_address(header(scope, b"x-forwarded-for").encode("latin-1"), self._settings.trusted_proxies)
        return str(forwarded) if forwarded else ""


def _is_by_itself(scope: Mapping[str, Any]) -> bool:
    """What an open page asks now and again, without anybody being there."""
    return bool(scope["method"] == "GET" and scope["query_string"].partition(b"=")[0] == b"poll")


def require_token(visitor: Visitor, given: str) -> None:
    """Raises NotOurs unless it is the token of this very session: Renewed or FilledByAnother where it names a person."""
    if not hmac.compare_digest(visitor.csrf_token.encode(), given.encode("utf-8", "surrogatepass")):
        if person := whose(given):
            raise Renewed if person == visitor.session.user.id else FilledByAnother
        raise NotOurs


def whose(given: str) -> str:
    """The id of the person that a token says it is of; empty for anything else. No proof of anything."""
    user_id = given.partition(".")[0]
    return user_id if ids.is_a(ids.USER, user_id) else ""


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """All lines of a header as one; empty if there is none."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)
