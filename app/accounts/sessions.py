"""Sessions: begun, recognised, renewed and ended. Each beginning and each end by a person is in the installation's audit chain."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Final

from app import database, ids
from app.access.actor import Actor, ActorKind
from app.accounts import store
from app.accounts.session import MOST_LIVING, Session, SessionInfo, SignedIn, digest, new_token
from app.accounts.store import Living
from app.audit import service as audit
from app.clock import MINUTE
from app.errors import NotAuthenticated, NotFound, Unavailable
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.tenancy.workspace import User

# `seen_at` is exact to this much, so that reading pages does not mean writing.
_SEEN_EVERY: Final = MINUTE


async def begin(change: Change, user: User) -> SignedIn:
    """A new session of this person within the change; the token is in the answer alone."""
    token = new_token()
    session = Session(ids.new(ids.SESSION), user, change.now, change.now, change.now)
    await store.end_oldest_sessions(user.id, MOST_LIVING - 1)
    await store.add_session(session, digest(token), change.actor.request)
    await audit.record(change, "session.started", user.id, session=session.id)
    return SignedIn(token, session)


async def session_of(token: str, *, note: bool = True) -> Session | None:
    """The living session of a token; None for every other text. `note`: a person is there, so that it does not fall idle."""
    found = await find(token)
    if found is None:
        return None
    session, now = found.session, await database.now()
    if not note or now - session.seen_at < _SEEN_EVERY:
        return session
    # A database that is too busy to note it is no reason to send somebody away.
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.touch_session(session.id, now)
    return replace(session, seen_at=now)


async def is_signed_in(token: str) -> bool:
    """Whether the token's session lives; what a page asks by itself does not keep it alive."""
    return await find(token) is not None


async def find(token: str) -> Living | None:
    """The same with what belongs to it, and noting nothing."""
    found = await store.find_session(digest(token))
    return found if found and found.session.lives(await database.now()) else None


async def get(token: str) -> Living:
    """Raises NotAuthenticated."""
    found = await find(token)
    if found is None:
        raise NotAuthenticated
    return found


async def renew(change: Change, token: str, session: Session) -> SignedIn:
    """The same session under a new token, its password given just now; the old token is dead. Raises NotAuthenticated."""
    new = new_token()
    if not await store.renew_session(digest(token), digest(new), change.now):
        raise NotAuthenticated
    return SignedIn(new, replace(session, seen_at=change.now, authenticated_at=change.now))


async def sign_out(token: str) -> None:
    """Ends the session of this token, if there is one."""
    found = await store.find_session(digest(token))
    if found is None:
        return
    user = found.session.user
    async with tenancy.changing_installation(found.session.actor(found.begun_from)) as change:
        await _end(change, user.id, found.session.id)


async def sessions_of(actor: Actor) -> list[SessionInfo]:
    """One's own living sessions, the one seen last first; none of whoever is no person."""
    return await store.sessions_of(actor.id, await database.now()) if actor.kind is ActorKind.USER else []


async def end_session(actor: Actor, session_id: str) -> None:
    """Ends one of one's own sessions. Raises NotFound."""
    if actor.kind is not ActorKind.USER or not ids.is_a(ids.SESSION, session_id):
        raise NotFound("session")
    async with tenancy.changing_installation(actor) as change:
        if not await _end(change, actor.id, session_id):
            raise NotFound("session")


async def _end(change: Change, user_id: str, session_id: str) -> bool:
    ended = await store.end_session(user_id, session_id)
    if ended:
        await audit.record(change, "session.ended", user_id, session=session_id)
    return ended
