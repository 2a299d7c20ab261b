"""What a user changes about themselves, besides their password."""

from __future__ import annotations

from dataclasses import replace

from app.access.actor import Actor, ActorKind
from app.audit import service as audit
from app.authentication import events
from app.errors import NotAllowed, NotAuthenticated
from app.tenancy import service as tenancy
from app.users import store as user_store
from app.users.user import User
from app.users.validation import checked_name


async def change_name(actor: Actor, name: str) -> User:
    """The user under their new name. Raises ValidationFailed."""
    if actor.kind is not ActorKind.USER:
        raise NotAllowed("Only a person has a name to change; sign in.")
    plain = checked_name(name)
    async with tenancy.changing_installation(actor) as change:
        user = await user_store.find(actor.id)
        if user is None:
            raise NotAuthenticated
        if user.name != plain:
            await user_store.rename(user.id, plain)
            await audit.record(change, events.RENAMED, user.id, before=user.name, after=plain)
    return replace(user, name=plain)
