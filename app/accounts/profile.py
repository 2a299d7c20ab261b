"""What a person changes about themselves: name and password."""

from __future__ import annotations

from dataclasses import replace

from app import mail
from app.access.actor import Actor, ActorKind
from app.accounts import letters, sessions, store
from app.accounts import password as passwords
from app.accounts.link import Purpose
from app.accounts.person import checked_person
from app.accounts.session import SignedIn
from app.accounts.sign_in import is_right
from app.audit import service as audit
from app.errors import FieldProblem, NotAllowed, NotAuthenticated, ValidationFailed
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import User

_WRONG = FieldProblem("currentPassword", "WRONG", "This is not your password.")


async def change_name(actor: Actor, name: str) -> User:
    """The person under their new name. Raises ValidationFailed."""
    if actor.kind is not ActorKind.USER:
        raise NotAllowed("Only a person has a name to change; sign in.")
    plain = checked_person(name)
    async with tenancy.changing_installation(actor) as change:
        user = await workspace_store.find_user(actor.id)
        if user is None:
            raise NotAuthenticated
        if user.name != plain:
            await store.rename(user.id, plain)
            await audit.record(change, "account.renamed", user.id, before=user.name, after=plain)
    return replace(user, name=plain)


async def change_password(token: str, current: str, new: str) -> SignedIn:
    """The session under a new token; all others of this person end, and links to reset the old password die.

    Raises ValidationFailed at `currentPassword` or `newPassword`, NotAuthenticated or TooManyAttempts.
    """
    found = await sessions.get(token)
    user = found.session.user
    text = checked_new(new, user)
    if not await is_right(user.id, found.password_hash, current):
        raise ValidationFailed(_WRONG)
    if text == passwords.normalised(current):
        raise ValidationFailed(FieldProblem("newPassword", "SAME", "This is the password you have."))
    password_hash = await passwords.hash_password(text)
    async with tenancy.changing_installation(found.session.actor(found.begun_from)) as change:
        if await store.find_hash(user.id) != found.password_hash:
            raise ValidationFailed(_WRONG)
        renewed = await sessions.renew(change, token, found.session)
        await replace_password(change, user, password_hash, but=renewed.session.id)
    notify(user)
    return renewed


def checked_new(password: str, user: User) -> str:
    """A new password as it is hashed. Raises ValidationFailed at `newPassword`."""
    return passwords.checked(password, about=(user.email, user.name), field="newPassword")


async def replace_password(change: Change, user: User, password_hash: str, *, but: str = "") -> None:
    """Within the change: what the old password opened is shut, but for one session."""
    await store.set_hash(user.id, password_hash)
    await store.end_sessions(user.id, but=but)
    await store.drop_links(Purpose.PASSWORD_RESET, user.id)
    await audit.record(change, "account.password_changed", user.id)


def notify(user: User) -> None:
    """Tells the person, in case it was not them."""
    letter = letters.password_changed()
    mail.current().send(user.email, letter.subject, letter.text)
