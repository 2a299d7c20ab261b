"""The first owner, by a link that only the console shows, and every further workspace, by the operator."""

from __future__ import annotations

from app import ids
from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import OperatorAction
from app.authentication.registration import add_user, new_user
from app.errors import LinkExpired, ValidationFailed
from app.one_time_links import service as links
from app.one_time_links import store as link_store
from app.one_time_links.link import ID_PREFIX, Link, Purpose
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.workspace import Workspace
from app.users import store as user_store
from app.users.user import User
from app.users.validation import checked_email, email_key
from app.workspaces import creation
from app.workspaces.validation import workspace_name_fault


async def set_up_link() -> str | None:
    """A new one-time link for 15 minutes; the earlier ones are void. None once there is an owner."""
    async with tenancy.changing_installation(Actor.system()) as change:
        if await workspace_store.any_owner_exists():
            return None
        await link_store.delete_all(Purpose.SET_UP)
        return await links.issue(Link(ids.new(ID_PREFIX), Purpose.SET_UP, change.now))


async def has_owner() -> bool:
    """Whether any workspace has an owner. Until then the set-up link is the only way in."""
    return await workspace_store.any_owner_exists()


async def is_set_up_link(token: str) -> bool:
    """Whether `set_up` would accept it: the link is open, and there is no owner yet."""
    return await links.find(Purpose.SET_UP, token) is not None and not await workspace_store.any_owner_exists()


async def set_up(request: Request, token: str, *, email: str, name: str, password: str, workspace: str) -> SignedIn:
    """Creates the first owner with a workspace and signs them in. If several try at once, one succeeds.

    Raises LinkExpired or ValidationFailed.
    """
    await links.get(Purpose.SET_UP, token)
    user, password_hash = await new_user(email, name, password, workspace=workspace)
    async with tenancy.changing_installation(Actor.user(user.id, user.name, request)) as change:
        await links.use(Purpose.SET_UP, token, change.now)
        if await workspace_store.any_owner_exists():
            raise LinkExpired
        await add_user(change, user, password_hash)
        await creation.create_in(change, user, workspace)
        return await sessions.begin(change, user)


async def create_owner(actor: Actor, *, email: str, name: str, password: str | None, workspace: str) -> tuple[User, Workspace]:
    """A workspace for the user of this address. An existing user gets one more workspace and keeps their name and password.

    Operator only. Raises ValidationFailed, also when there is no such user and no password.
    """
    policy.require_operator(actor, OperatorAction.CREATE_WORKSPACE)
    if fault := workspace_name_fault(workspace, "workspace"):
        raise ValidationFailed(fault)
    known = await user_store.find_by_email(email_key(checked_email(email)))
    user, password_hash = (known, "") if known else await new_user(email, name, password or "", workspace=workspace)
    async with tenancy.changing_installation(actor) as change:
        if not known:
            await add_user(change, user, password_hash)
        return user, await creation.create_in(change, user, workspace)


async def user_exists(actor: Actor, email: str) -> bool:
    """Whether there is a user with this address, who needs no new password. Operator only."""
    policy.require_operator(actor, OperatorAction.LOOK_UP_USER)
    return await user_store.find_by_email(email_key(email)) is not None
