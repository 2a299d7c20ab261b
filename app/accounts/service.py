"""What can be done with accounts: signing in and out, one's own name, password and sessions, and the first owner.

Each part has a file of its own; this one is the list of them. Signing in and recovery take a request, because nobody is
known yet; what a session proves takes its token; the rest takes the actor first.
"""

from __future__ import annotations

from app import database
from app.accounts import store, throttle
from app.accounts.founding import create_owner, is_known, is_set_up_link, set_up, set_up_link
from app.accounts.profile import change_name, change_password
from app.accounts.recovery import find_password_reset, password_reset_link, request_password_reset, reset_password
from app.accounts.session import Session, SessionInfo, SignedIn
from app.accounts.sessions import end_session, is_signed_in, session_of, sessions_of, sign_out
from app.accounts.sign_in import confirm, sign_in
from app.errors import ConfirmationNeeded, LinkExpired, SignInFailed, TooManyAttempts

__all__ = [
    "ConfirmationNeeded",
    "LinkExpired",
    "Session",
    "SessionInfo",
    "SignInFailed",
    "SignedIn",
    "TooManyAttempts",
    "change_name",
    "change_password",
    "confirm",
    "create_owner",
    "end_session",
    "find_password_reset",
    "forget_old",
    "is_known",
    "is_set_up_link",
    "is_signed_in",
    "password_reset_link",
    "request_password_reset",
    "reset_password",
    "session_of",
    "sessions_of",
    "set_up",
    "set_up_link",
    "sign_in",
    "sign_out",
]


async def forget_old() -> None:
    """Drops sessions, links and throttled windows that have had their time; a job calls it."""
    async with database.transaction():
        now = await database.now()
        await store.forget(now)
        await throttle.forget_old(now)
