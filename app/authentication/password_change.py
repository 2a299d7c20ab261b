"""A new password: chosen by a signed-in user here, or with a reset link in `password_reset`."""

from __future__ import annotations

from app.audit import service as audit
from app.authentication import emails, events
from app.authentication.sign_in import check_password
from app.errors import FieldProblem, ValidationFailed
from app.one_time_links import store as link_store
from app.one_time_links.link import Purpose
from app.outbox import mails
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.tenancy import service as tenancy
from app.tenancy.service import Change
from app.users import password_hashing, password_rules
from app.users import store as user_store
from app.users.user import User

_WRONG = FieldProblem("currentPassword", "WRONG", "This is not your current password.")


async def change_password(token: str, current: str, new: str) -> SignedIn:
    """The session under a new token. The user's other sessions end, and their links to reset the old password are void.

    Raises ValidationFailed at `currentPassword` or `newPassword`, NotAuthenticated or TooManyAttempts.
    """
    found = await sessions.get_record(token)
    user = found.session.user
    text = checked_new(new, user)
    if not await check_password(user.id, found.password_hash, current):
        raise ValidationFailed(_WRONG)
    if text == password_rules.normalised(current):
        raise ValidationFailed(FieldProblem("newPassword", "SAME", "This is your current password."))
    password_hash = await password_hashing.hash_password(text)
    async with tenancy.changing_installation(found.session.actor(found.begun_by)) as change:
        if await user_store.find_password_hash(user.id) != found.password_hash:
            raise ValidationFailed(_WRONG)
        renewed = await sessions.renew(change, token, found.session)
        await replace_password(change, user, password_hash, but=renewed.session.id)
    return renewed


def checked_new(password: str, user: User) -> str:
    """Validates a new password and returns it as it is hashed. Raises ValidationFailed at `newPassword`."""
    return password_rules.checked(password, about=(user.email, user.name), field="newPassword")


async def replace_password(change: Change, user: User, password_hash: str, *, but: str = "") -> None:
    """Inside the change: stores the hash, ends all sessions except `but`, and voids the user's links to reset the password or to
    confirm another address, which someone who knew the old password may have requested. The user gets an e-mail."""
    await user_store.set_password_hash(user.id, password_hash)
    await sessions.end_all(user.id, but=but)
    for purpose in (Purpose.PASSWORD_RESET, Purpose.EMAIL_CHANGE):
        await link_store.delete_all(purpose, user.id)
    await audit.record(change, events.PASSWORD_CHANGED, user.id)
    await mails.send(user.email, emails.password_changed(), change.now)
