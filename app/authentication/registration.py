"""Creates users."""

from __future__ import annotations

from app import database, ids
from app.audit import service as audit
from app.authentication import events
from app.errors import FieldProblem, ValidationFailed
from app.names import plain_name
from app.tenancy.service import Change
from app.users import password_hashing, password_rules
from app.users import store as user_store
from app.users.user import USER_ID, User
from app.users.validation import email_fault, email_key, name_fault
from app.workspaces.validation import workspace_name_fault


async def new_user(email: str, name: str, password: str, *, workspace: str | None = None) -> tuple[User, str]:
    """A user who is not stored yet, and the hash of their password. Raises ValidationFailed with every fault, or TooManyAttempts.

    `workspace`: the name of the workspace to be created for them, validated with the rest.
    """
    faults = [fault for fault in (email_fault(email), name_fault(name)) if fault]
    if workspace is not None and (fault := workspace_name_fault(workspace, "workspace")):
        faults.append(fault)
    try:
        text = password_rules.checked(password, about=(email, name, workspace or ""))
    except ValidationFailed as refusal:
        faults += refusal.fields
    if faults:
        raise ValidationFailed(*faults)
    user = User(ids.new(USER_ID), email.strip(), plain_name(name), await database.now())
    return user, await password_hashing.hash_password(text)


async def add_user(change: Change, user: User, password_hash: str) -> None:
    """Inside a change of the installation: stores a new user. Raises ValidationFailed for an address that another user has."""
    key = email_key(user.email)
    if await user_store.find_by_email(key):
        raise ValidationFailed(FieldProblem("email", "TAKEN", "There is already an account with this e-mail address."))
    await user_store.add(user, key, password_hash)
    await audit.record(change, events.CREATED, user.id, email=user.email)
