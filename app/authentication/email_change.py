"""A new e-mail address of a user: it counts once a link that was mailed there has been opened, and the old one gets a notice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app import database, ids, mail
from app.access import policy
from app.access.actor import Actor, ActorKind, Request
from app.audit import service as audit
from app.authentication import emails, events
from app.errors import Conflict, LinkExpired, NotAllowed, NotAuthenticated
from app.one_time_links import service as links
from app.one_time_links import store as link_store
from app.one_time_links.link import ID_PREFIX, Link, Purpose
from app.outbox import mails
from app.tenancy import service as tenancy
from app.throttling import service as throttling
from app.users import store as user_store
from app.users.user import User
from app.users.validation import checked_email, email_key


@dataclass(frozen=True, slots=True)
class EmailChange:
    """What an open link changes: the user as they are now, and their new address."""

    user: User
    email: str


async def request_email_change(actor: Actor, email: str) -> str:
    """Mails a link to the new address, which is returned; earlier links are void. Nothing else changes, and the answer does not
    reveal whether someone else has this address.

    Raises ConfirmationNeeded, ValidationFailed, TooManyAttempts, or Conflict where no mail can be sent.
    """
    if actor.kind is not ActorKind.USER:
        raise NotAllowed("Only a person has an address to change; sign in.")
    policy.require_recent_password(actor, await database.now())
    address = checked_email(email)
    if not mail.current().configured:
        raise Conflict("This installation does not send e-mail, so an address cannot be confirmed.")
    await throttling.take(throttling.password_reset_buckets(email_key(address), actor.request.address))
    async with tenancy.changing_installation(actor) as change:
        await link_store.delete_all(Purpose.EMAIL_CHANGE, actor.id)
        link = Link(ids.new(ID_PREFIX), Purpose.EMAIL_CHANGE, change.now, user_id=actor.id, email=address)
        await mails.send(address, emails.confirm_email(await links.issue(link)), change.now)
    return address


async def find_email_change(token: str) -> EmailChange | None:
    """What an open link would change; reading it does not use it up."""
    link = await links.find(Purpose.EMAIL_CHANGE, token)
    user = await user_store.find(link.user_id) if link and link.user_id else None
    return EmailChange(user, link.email) if user and link and link.email else None


async def change_email(request: Request, token: str) -> User:
    """Gives the user the address that the link was mailed to, and tells the old one. Links to reset the password are void.

    Raises LinkExpired, or Conflict if another user has the address by now.
    """
    wanted = await find_email_change(token)
    if wanted is None:
        raise LinkExpired
    async with tenancy.changing_installation(Actor.user(wanted.user.id, wanted.user.name, request)) as change:
        await links.use(Purpose.EMAIL_CHANGE, token, change.now)
        user = await user_store.find(wanted.user.id)
        if user is None:
            raise NotAuthenticated
        other = await user_store.find_by_email(email_key(wanted.email))
        if other is not None and other.id != user.id:
            raise Conflict("Another account has this address.")
        if user.email != wanted.email:
            await user_store.set_email(user.id, wanted.email, email_key(wanted.email))
            await link_store.delete_all(Purpose.PASSWORD_RESET, user.id)
            await audit.record(change, events.EMAIL_CHANGED, user.id, before=user.email, after=wanted.email)
            await mails.send(user.email, emails.email_changed(wanted.email), change.now)
    return replace(user, email=wanted.email)
