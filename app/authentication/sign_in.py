"""Signing in with a password, and giving it again. Neither the answer nor its time reveals whether a user exists."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.access.actor import Actor, Request
from app.audit import service as audit
from app.errors import SignInFailed, TooManyAttempts
from app.sessions import events as sessions_events
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.tenancy import service as tenancy
from app.throttling import service as throttling
from app.throttling.bucket import Bucket
from app.users import password_hashing, password_rules
from app.users import store as user_store
from app.users.user import Credentials
from app.users.validation import email_key

_log = logging.getLogger("keydesk.authentication")


async def sign_in(request: Request, email: str, password: str) -> SignedIn:
    """A new session. Raises SignInFailed, the same for every reason, or TooManyAttempts."""
    key = email_key(email)
    known = await throttling.is_known_network(key, request.address)
    buckets = throttling.sign_in_buckets(key, request.address, known=known)
    found = await user_store.find_credentials(key)
    if not await _verify(buckets, found.password_hash if found else None, password, known=known) or found is None:
        _log.warning("request %s from %s failed to sign in", request.request_id, request.address)
        raise SignInFailed
    newer = await _rehash(found, password)
    async with tenancy.changing_installation(Actor.user(found.user.id, found.user.name, request)) as change:
        await _require_unchanged(found)
        if newer:
            await user_store.set_password_hash(found.user.id, newer)
        await throttling.record_success(buckets, key, request.address, change.now)
        return await sessions.begin(change, found.user)


async def confirm(token: str, password: str) -> SignedIn:
    """Step-up: the session of this token, just authenticated, under a new token.

    Raises NotAuthenticated for a session that has ended, SignInFailed for a wrong password, or TooManyAttempts.
    """
    found = await sessions.get_record(token)
    user = found.session.user
    if not await check_password(user.id, found.password_hash, password):
        raise SignInFailed("The password is wrong.")
    async with tenancy.changing_installation(found.session.actor(found.begun_by)) as change:
        await _require_unchanged(Credentials(user, found.password_hash))
        renewed = await sessions.renew(change, token, found.session)
        await audit.record(change, sessions_events.CONFIRMED, user.id, session=renewed.session.id)
    return renewed


async def check_password(user_id: str, password_hash: str, password: str) -> bool:
    """Whether this is the password of a user who is signed in; throttled. Raises TooManyAttempts."""
    buckets = throttling.confirmation_buckets(user_id)
    right = await _verify(buckets, password_hash, password, known=True)
    if right:
        await throttling.give_back(buckets)
    return right


async def _verify(buckets: Sequence[Bucket], password_hash: str | None, password: str, *, known: bool) -> bool:
    """Whether the password is right. Raises TooManyAttempts; an attempt that is refused because too many wait is not counted."""
    password_hashing.require_room(known=known)
    await throttling.take(buckets)
    try:
        return await password_hashing.verify(password_hash, password)
    except TooManyAttempts:
        await throttling.give_back(buckets)
        raise


async def _rehash(found: Credentials, password: str) -> str | None:
    """The hash with the current parameters, if the stored one has others."""
    if not password_hashing.needs_rehash(found.password_hash):
        return None
    return await password_hashing.hash_password(password_rules.normalised(password))


async def _require_unchanged(found: Credentials) -> None:
    """Inside the change: another request may have replaced the password while it was being checked. Raises SignInFailed."""
    if await user_store.find_password_hash(found.user.id) != found.password_hash:
        raise SignInFailed
