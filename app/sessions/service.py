"""Begins, finds, renews and ends sessions.

Every sign-in and every end requested by a user is in the installation's audit chain.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Final

from app import database, ids
from app.access.actor import Actor, ActorKind
from app.audit import service as audit
from app.clock import MINUTE
from app.errors import NotAuthenticated, NotFound, Unavailable
from app.sessions import events, store
from app.sessions.session import MOST_OF_USER, SESSION_ID, Session, SessionInfo, SessionRecord, SignedIn
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.tokens import digest, new_token
from app.users.user import User

# `seen_at` has this precision, so that page views do not cause a write each.
_TOUCHED_EVERY: Final = MINUTE


async def begin(change: Change, user: User) -> SignedIn:
    """Inside the change: a new session of this user. Its token is returned and not stored."""
    token = new_token()
    session = Session(ids.new(SESSION_ID), user, change.now, change.now, change.now)
    await store.end_oldest(user.id, MOST_OF_USER - 1)
    await store.add(session, digest(token), change.actor.request)
    await audit.record(change, events.STARTED, user.id, session=session.id)
    return SignedIn(token, session)


async def find(token: str, *, touch: bool = True) -> Session | None:
    """The active session of a token. `touch` counts the request as activity, which restarts the idle timeout."""
    found = await find_record(token)
    if found is None:
        return None
    session, now = found.session, found.read_at
    if not touch or now - session.seen_at < _TOUCHED_EVERY:
        return session
    # If the database is too busy to store this, the session stays valid.
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.touch(session.id, now)
    return replace(session, seen_at=now)


async def is_signed_in(token: str) -> bool:
    """Whether the token's session is active; this does not count as activity."""
    return await find_record(token) is not None


async def find_record(token: str) -> SessionRecord | None:
    """The active session of a token with all that is stored about it; this does not count as activity."""
    found = await store.find(digest(token))
    return found if found and found.session.is_active(found.read_at) else None


async def get_record(token: str) -> SessionRecord:
    """Like `find_record`. Raises NotAuthenticated."""
    found = await find_record(token)
    if found is None:
        raise NotAuthenticated
    return found


async def renew(change: Change, token: str, session: Session) -> SignedIn:
    """Inside the change: the same session, just authenticated, under a new token. Raises NotAuthenticated for a dead token."""
    new = new_token()
    if not await store.renew(digest(token), digest(new), change.now):
        raise NotAuthenticated
    return SignedIn(new, replace(session, seen_at=change.now, authenticated_at=change.now))


async def sign_out(token: str) -> None:
    """Ends the session of this token, if there is one."""
    found = await store.find(digest(token))
    if found is None:
        return
    user = found.session.user
    async with tenancy.changing_installation(found.session.actor(found.begun_by)) as change:
        await _end(change, user.id, found.session.id)


async def own_sessions(actor: Actor) -> list[SessionInfo]:
    """The actor's active sessions, most recently seen first; empty for an actor that is not a user."""
    return await store.active_of(actor.id, await database.now()) if actor.kind is ActorKind.USER else []


async def end(actor: Actor, session_id: str) -> None:
    """Ends one of the actor's own sessions. Raises NotFound."""
    if actor.kind is not ActorKind.USER or not ids.is_a(SESSION_ID, session_id):
        raise NotFound("session")
    async with tenancy.changing_installation(actor) as change:
        if not await _end(change, actor.id, session_id):
            raise NotFound("session")


async def end_all(user_id: str, *, but: str = "") -> None:
    """Inside a change whose audit entry gives the reason: ends every session of a user, except `but`."""
    await store.end_all(user_id, but=but)


async def purge_expired() -> None:
    """Deletes sessions that have expired or have an instant written while the clock was ahead."""
    async with database.transaction():
        await store.purge(await database.now())


async def _end(change: Change, user_id: str, session_id: str) -> bool:
    ended = await store.end(user_id, session_id)
    if ended:
        await audit.record(change, events.ENDED, user_id, session=session_id)
    return ended
