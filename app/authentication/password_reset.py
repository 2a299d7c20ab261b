"""A forgotten password: a link by e-mail where mail is set up, else from the operator. It works once, for one hour."""

from __future__ import annotations

from typing import Final

from app import database, ids, mail
from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import OperatorAction
from app.audit import service as audit
from app.authentication import emails, events
from app.authentication.password_change import checked_new, replace_password
from app.errors import LinkExpired, NotFound
from app.one_time_links import service as links
from app.one_time_links.link import ID_PREFIX, Link, Purpose
from app.outbox import mails
from app.outbox import service as outbox
from app.outbox import store as outbox_store
from app.outbox.item import Kind
from app.tenancy import service as tenancy
from app.throttling import service as throttling
from app.users import password_hashing
from app.users import store as user_store
from app.users.user import User
from app.users.validation import email_key

_PIECE: Final = 50


async def request_password_reset(request: Request, email: str) -> None:
    """Emails a link to the user with this address, if there is one. Raises TooManyAttempts.

    The user is looked up after this has returned, by a job, so that neither the answer nor its time reveals whether they exist.
    """
    key = email_key(email)
    await throttling.take(throttling.password_reset_buckets(key, request.address))
    if mail.current().configured:
        async with database.transaction():
            await outbox.put(Kind.PASSWORD_RESET, {"email": key}, await database.now())


async def password_reset_link(actor: Actor, email: str) -> str:
    """For the operator: the link to pass on. Raises NotFound."""
    policy.require_operator(actor, OperatorAction.RESET_PASSWORD)
    async with tenancy.changing_installation(actor) as change:
        user = await user_store.find_by_email(email_key(email))
        if user is None:
            raise NotFound("account")
        await audit.record(change, events.RESET_LINK_MADE, user.id)
        return await _issue(user, change.now)


async def is_wanted(now: int) -> bool:
    """Whether a link was requested."""
    return await outbox_store.is_any_due(Kind.PASSWORD_RESET, now)


async def mail_links(now: int) -> None:
    """The job: makes the requested links of users that exist. A request becomes an e-mail in one transaction, so it becomes one."""
    while items := await outbox_store.due(Kind.PASSWORD_RESET, now, _PIECE):
        async with database.transaction():
            for item in items:
                if await outbox_store.finish(item.id, now):
                    await _mail_link(item.content["email"], now)


async def find_password_reset(token: str) -> User | None:
    """The user whose password an open link resets; reading it does not use it up."""
    link = await links.find(Purpose.PASSWORD_RESET, token)
    return await user_store.find(link.user_id) if link and link.user_id else None


async def reset_password(request: Request, token: str, new: str) -> None:
    """Sets the password. All sessions of the user end, and all their reset links are void.

    Raises LinkExpired, ValidationFailed at `newPassword`, or TooManyAttempts.
    """
    user = await find_password_reset(token)
    if user is None:
        raise LinkExpired
    password_hash = await password_hashing.hash_password(checked_new(new, user))
    async with tenancy.changing_installation(Actor.user(user.id, user.name, request)) as change:
        await links.use(Purpose.PASSWORD_RESET, token, change.now)
        await replace_password(change, user, password_hash)


async def _mail_link(key: str, now: int) -> None:
    user = await user_store.find_by_email(key)
    if user is not None:
        # To the stored address, never to the typed one: the two may only look alike.
        await mails.send(user.email, emails.password_reset(await _issue(user, now)), now)


async def _issue(user: User, now: int) -> str:
    return await links.issue(Link(ids.new(ID_PREFIX), Purpose.PASSWORD_RESET, now, user_id=user.id))
