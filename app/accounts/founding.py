"""The first owner, by a link that only the console shows, and every further workspace, by the operator."""

from __future__ import annotations

from app import catalogue, database, ids
from app.access import policy
from app.access.actor import Actor, Request, Role
from app.access.policy import OperatorAction
from app.accounts import links, sessions, store
from app.accounts import password as passwords
from app.accounts.link import KIND, Link, Purpose
from app.accounts.person import checked_email, email_fault, email_key, person_fault
from app.accounts.session import SignedIn
from app.audit import service as audit
from app.errors import FieldProblem, LinkExpired, ValidationFailed
from app.names import plain_name
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import Member, User, Workspace, slug_for
from app.workspaces.rules import workspace_name_fault


async def set_up_link() -> str | None:
    """A fresh one-time link for 15 minutes, the earlier ones void; None once there is an owner."""
    async with tenancy.changing_installation(Actor.system()) as change:
        if await store.has_owner():
            return None
        await store.drop_links(Purpose.SET_UP)
        return await links.issue(Link(ids.new(KIND), Purpose.SET_UP, change.now))


async def is_set_up_link(token: str) -> bool:
    """Whether `set_up` would take it: it lives, and there is no owner yet."""
    return await links.find(Purpose.SET_UP, token) is not None and not await store.has_owner()


async def set_up(request: Request, token: str, *, email: str, name: str, password: str, workspace: str) -> SignedIn:
    """The first owner, with a workspace, signed in. Of many at once one succeeds.

    Raises LinkExpired or ValidationFailed.
    """
    await links.get(Purpose.SET_UP, token)
    user, password_hash = await new_user(email, name, password, workspace=workspace)
    async with tenancy.changing_installation(Actor.user(user.id, user.name, request)) as change:
        await links.use(Purpose.SET_UP, token, change.now)
        if await store.has_owner():
            raise LinkExpired
        await add_user(change, user, password_hash)
        await _found(change, user, workspace)
        return await sessions.begin(change, user)


async def create_owner(actor: Actor, *, email: str, name: str, password: str | None, workspace: str) -> tuple[User, Workspace]:
    """A workspace for the owner of this address. An existing user gets one more, name and password untouched.

    Operator only. Raises ValidationFailed, also when a new user comes without a password.
    """
    policy.require_operator(actor, OperatorAction.CREATE_WORKSPACE)
    if fault := workspace_name_fault(workspace, "workspace"):
        raise ValidationFailed(fault)
    known = await workspace_store.find_user_by_email(email_key(checked_email(email)))
    user, password_hash = (known, "") if known else await new_user(email, name, password or "", workspace=workspace)
    async with tenancy.changing_installation(actor) as change:
        if not known:
            await add_user(change, user, password_hash)
        return user, await _found(change, user, workspace)


async def is_known(actor: Actor, email: str) -> bool:
    """Whether the address has an account, so that its owner is not asked for a password in vain. Operator only."""
    policy.require_operator(actor, OperatorAction.LOOK_UP_USER)
    return await workspace_store.find_user_by_email(email_key(email)) is not None


async def new_user(email: str, name: str, password: str, *, workspace: str | None = None) -> tuple[User, str]:
    """Somebody who is not stored yet, and the hash of their password. Raises ValidationFailed with every fault, or TooManyAttempts.

    `workspace`: the name of the one they found, checked with the rest.
    """
    faults = [fault for fault in (email_fault(email), person_fault(name)) if fault]
    if workspace is not None and (fault := workspace_name_fault(workspace, "workspace")):
        faults.append(fault)
    try:
        text = passwords.checked(password, about=(email, name, workspace or ""))
    except ValidationFailed as refusal:
        faults += refusal.fields
    if faults:
        raise ValidationFailed(*faults)
    user = User(ids.new(ids.USER), email.strip(), plain_name(name), await database.now())
    return user, await passwords.hash_password(text)


async def add_user(change: Change, user: User, password_hash: str) -> None:
    """Keeps a new user, within a change of the installation. Raises ValidationFailed for an address that somebody has."""
    key = email_key(user.email)
    if await workspace_store.find_user_by_email(key):
        raise ValidationFailed(FieldProblem("email", "TAKEN", "There is an account with this e-mail address already."))
    await workspace_store.add_user(user, key, password_hash)
    await audit.record(change, "account.created", user.id, email=user.email)


async def _found(change: Change, owner: User, name: str) -> Workspace:
    """Within a change of the installation, whose lock keeps slugs apart: a workspace on the plan of new ones, and its owner."""
    workspace = Workspace(
        id=ids.new(ids.WORKSPACE),
        slug=await _free_slug(slug_for(name)),
        name=plain_name(name),
        plan=catalogue.FALLBACK_PLAN,
        timezone="UTC",
        business_hours=None,
        created_at=change.now,
        suspended_at=None,
    )
    await workspace_store.add(workspace, audit.wrapped_key(workspace.id))
    await workspace_store.add_member(Member(ids.new(ids.MEMBER), workspace.id, owner, Role.OWNER, change.now))
    founding = Change(change.actor, change.now, workspace)
    await audit.record(founding, "workspace.created", workspace.id, name=workspace.name, slug=workspace.slug, owner=owner.id)
    return workspace


async def _free_slug(wanted: str) -> str:
    """`acme`, `acme-2`, `acme-3`: the first that no workspace has."""
    taken = await workspace_store.slugs_like(wanted)
    return next(
        slug for number in range(1, len(taken) + 2) if (slug := f"{wanted}-{number}" if number > 1 else wanted) not in taken
    )
