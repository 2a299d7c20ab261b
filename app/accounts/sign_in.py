"""Signing in with a password, and giving it again. Nothing in the answer or its time tells whether an account exists."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.access.actor import Actor, Request
from app.accounts import password as passwords
from app.accounts import sessions, store, throttle
from app.accounts.person import email_key
from app.accounts.session import SignedIn
from app.accounts.store import Credentials
from app.accounts.throttle import Bucket
from app.audit import service as audit
from app.errors import SignInFailed, TooManyAttempts
from app.tenancy import service as tenancy

_log = logging.getLogger("keydesk.accounts")


async def sign_in(request: Request, email: str, password: str) -> SignedIn:
    """A new session. Raises SignInFailed, whatever was wrong, or TooManyAttempts."""
    key = email_key(email)
    known = await throttle.knows(key, request.address)
    places = throttle.of_sign_in(key, request.address, known=known)
    found = await store.find_credentials(key)
    if not await _checked(places, found.password_hash if found else None, password, known=known) or found is None:
        _log.warning("request %s from %s failed to sign in", request.request_id, request.address)
        raise SignInFailed
    newer = await _rehashed(found, password)
    async with tenancy.changing_installation(Actor.user(found.user.id, found.user.name, request)) as change:
        await _require_same(found)
        if newer:
            await store.set_hash(found.user.id, newer)
        await throttle.succeeded(places, key, request.address, change.now)
        return await sessions.begin(change, found.user)


async def confirm(token: str, password: str) -> SignedIn:
    """The session of this token under a new one, its password given just now.

    Raises NotAuthenticated for a session that has ended, SignInFailed for a wrong password, or TooManyAttempts.
    """
    found = await sessions.get(token)
    user = found.session.user
    if not await is_right(user.id, found.password_hash, password):
        raise SignInFailed("The password is not right.")
    async with tenancy.changing_installation(found.session.actor(found.begun_from)) as change:
        await _require_same(Credentials(user, found.password_hash))
        renewed = await sessions.renew(change, token, found.session)
        await audit.record(change, "session.confirmed", user.id, session=renewed.session.id)
    return renewed


async def is_right(user_id: str, password_hash: str, password: str) -> bool:
    """Whether this is the password of somebody who is signed in; throttled. Raises TooManyAttempts."""
    places = throttle.of_confirmation(user_id)
    right = await _checked(places, password_hash, password, known=True)
    if right:
        await throttle.forgive(places)
    return right


async def _checked(places: Sequence[Bucket], password_hash: str | None, password: str, *, known: bool) -> bool:
    """Whether the password is right. Raises TooManyAttempts; an attempt that is refused for want of room takes no place."""
    passwords.require_room(known=known)
    await throttle.take(places)
    try:
        return await passwords.verify(password_hash, password)
    except TooManyAttempts:
        await throttle.forgive(places)
        raise


async def _rehashed(found: Credentials, password: str) -> str | None:
    """The hash with today's parameters, if the stored one has others."""
    if not passwords.needs_rehash(found.password_hash):
        return None
    return await passwords.hash_password(passwords.normalised(password))


async def _require_same(found: Credentials) -> None:
    """Inside the change: while a password is being checked, another request may have replaced it."""
    if await store.find_hash(found.user.id) != found.password_hash:
        raise SignInFailed
