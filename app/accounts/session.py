"""A session as frozen data. Its token is 256 random bits that only the browser keeps; the database has its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from app.access import policy
from app.access.actor import Actor, Request
from app.clock import HOUR, MINUTE, TOLERATED
from app.peppers import service as peppers
from app.tenancy.workspace import User

IDLE: Final = 30 * MINUTE
ABSOLUTE: Final = 12 * HOUR
RECENT: Final = policy.RECENT
# More than this many at once is no person; the one that was seen least recently ends.
MOST_LIVING: Final = 20


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. Instants in microseconds; `authenticated_at` is when they last gave their password."""

    id: str
    user: User
    created_at: int
    seen_at: int
    authenticated_at: int

    def lives(self, now: int) -> bool:
        """Neither left alone for IDLE nor older than ABSOLUTE, nor of a time when the clock was ahead."""
        newest = max(self.created_at, self.seen_at, self.authenticated_at)
        return newest <= now + TOLERATED and now < self.seen_at + IDLE and now < self.created_at + ABSOLUTE

    def actor(self, request: Request) -> Actor:
        """The person, with the time of their password: some changes ask how long ago that was."""
        return Actor.user(self.user.id, self.user.name, request, authenticated_at=self.authenticated_at)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One's own session as it is listed: since when, last seen, and where it was begun."""

    id: str
    created_at: int
    seen_at: int
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun, and the token that the browser is given."""

    token: str = field(repr=False)
    session: Session


def new_token() -> str:
    """256 random bits, in characters that a cookie and an address hold as they are."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a token. It cannot be guessed, so that a plain SHA-256 is enough (NIST SP 800-63B-4 §5.1)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token(token: str) -> str:
    """What a page of this very session carries in its forms; compare with `hmac.compare_digest`."""
    key = peppers.current().current.derive("csrf")
    return hmac.digest(key, token.encode("utf-8", "surrogatepass"), "sha256").hex()
