"""A session as frozen data. Its token is 256 random bits that only the browser keeps; the database has its SHA-256."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from app.access.actor import Actor, Request
from app.clock import HOUR, MINUTE, TOLERATED
from app.peppers.pepper import Pepper
from app.users.user import User

SESSION_ID: Final = "ses"

IDLE_TIMEOUT: Final = 30 * MINUTE
ABSOLUTE_TIMEOUT: Final = 12 * HOUR
# At most this many sessions per user; the least recently seen one ends.
MOST_OF_USER: Final = 20


@dataclass(frozen=True, slots=True)
class Session:
    """A user who has signed in. Instants in microseconds; `authenticated_at` is when they last gave their password."""

    id: str
    user: User
    created_at: int
    seen_at: int
    authenticated_at: int

    def is_active(self, now: int) -> bool:
        """Whether neither timeout has passed, and no instant is in the future, which happens when the clock was set back."""
        newest = max(self.created_at, self.seen_at, self.authenticated_at)
        return newest <= now + TOLERATED and now < self.seen_at + IDLE_TIMEOUT and now < self.created_at + ABSOLUTE_TIMEOUT

    def actor(self, request: Request) -> Actor:
        """The user, with the time of their last password entry, which some actions check."""
        return Actor.user(self.user.id, self.user.name, request, authenticated_at=self.authenticated_at)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A stored session, the request that began it, the database's time when it was read, and the hash of its user's password."""

    session: Session
    begun_by: Request
    read_at: int
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as its user sees it in a list: created, last seen, and where it began."""

    id: str
    created_at: int
    seen_at: int
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun or was renewed, and its new token for the browser."""

    token: str = field(repr=False)
    session: Session


def csrf_token(token: str, pepper: Pepper) -> str:
    """The token that the forms of a session's pages carry; compare with `hmac.compare_digest`."""
    return hmac.digest(pepper.derive("csrf"), token.encode("utf-8", "surrogatepass"), "sha256").hex()
