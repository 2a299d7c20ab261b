"""A forgotten password: a link by mail where mail is set up, else from the operator. One use, one hour."""

from __future__ import annotations

from app import database, ids, mail
from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import OperatorAction
from app.accounts import letters, links, throttle
from app.accounts import password as passwords
from app.accounts.link import KIND, Link, Purpose
from app.accounts.person import email_key
from app.accounts.profile import checked_new, notify, replace_password
from app.audit import service as audit
from app.errors import LinkExpired, NotFound
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.workspace import User


async def request_password_reset(request: Request, email: str) -> None:
    """Mails a link to the account of this address, if there is one. Raises TooManyAttempts.

    Everything that depends on the account happens after this has answered, so that neither answer nor time tells of it.
    """
    key = email_key(email)
    await throttle.take(throttle.of_reset(key, request.address))
    post = mail.current()
    if post.configured:
        post.in_background(_mail_link(key))


async def password_reset_link(actor: Actor, email: str) -> str:
    """For the operator: the link to pass on. Raises NotFound."""
    policy.require_operator(actor, OperatorAction.RESET_PASSWORD)
    async with tenancy.changing_installation(actor) as change:
        user = await workspace_store.find_user_by_email(email_key(email))
        if user is None:
            raise NotFound("account")
        await audit.record(change, "account.password_reset_link_made", user.id)
        return await _issue(user, change.now)


async def find_password_reset(token: str) -> User | None:
    """Whose password the link resets, while it lives; looking does not use it up."""
    link = await links.find(Purpose.PASSWORD_RESET, token)
    return await workspace_store.find_user(link.account) if link and link.account else None


async def reset_password(request: Request, token: str, new: str) -> None:
    """Sets the password; all sessions of the person end and all their reset links die.

    Raises LinkExpired, ValidationFailed at `newPassword`, or TooManyAttempts.
    """
    user = await find_password_reset(token)
    if user is None:
        raise LinkExpired
    password_hash = await passwords.hash_password(checked_new(new, user))
    async with tenancy.changing_installation(Actor.user(user.id, user.name, request)) as change:
        await links.use(Purpose.PASSWORD_RESET, token, change.now)
        await replace_password(change, user, password_hash)
    notify(user)


async def _mail_link(key: str) -> None:
    user = await workspace_store.find_user_by_email(key)
    if user is None:
        return
    async with database.transaction():
        letter = letters.password_reset(await _issue(user, await database.now()))
    # To the address that was stored, never to the one that was typed: they may only look alike.
    mail.current().send(user.email, letter.subject, letter.text)


async def _issue(user: User, now: int) -> str:
    return await links.issue(Link(ids.new(KIND), Purpose.PASSWORD_RESET, now, account=user.id))
