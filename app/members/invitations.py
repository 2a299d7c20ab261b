"""Invitations: a single-use link for one address, valid for seven days. Sent by e-mail if configured, else passed on by hand."""

from __future__ import annotations

from app import database, ids
from app.access.actor import Actor, ActorKind, Request, Role
from app.access.policy import Action
from app.audit import service as audit
from app.authentication import registration
from app.errors import Conflict, NotAllowed, NotFound
from app.keys.idempotency import only_once
from app.members import emails, events
from app.members.invitation import INVITATION_ID, MOST_OPEN, Invitation, InvitationView
from app.one_time_links import service as links
from app.one_time_links import store as link_store
from app.one_time_links.link import Link, Purpose
from app.outbox import mails
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access, Change
from app.tenancy.workspace import MEMBER_ID, Member, Workspace
from app.users import store as user_store
from app.users.user import User
from app.users.validation import checked_email, email_key


async def invitations(access: Access) -> list[Invitation]:
    """The open invitations, oldest first."""
    access.require(Action.READ_MEMBERS)
    return [Invitation.of(link) for link in await link_store.open_invitations(access.workspace.id, access.now)]


async def get_invitation(actor: Actor, invitation_id: str) -> Invitation:
    """An open invitation. Raises NotFound, also for one of a workspace the actor does not belong to; NotAllowed."""
    link = await link_store.find_open_invitation(invitation_id, await database.now())
    if link is None:
        raise NotFound("invitation")
    found = Invitation.of(link)
    await tenancy.reading(actor, None, Action.READ_MEMBERS, workspace_id=found.workspace_id)
    return found


async def invite(
    actor: Actor, slug: str | None, email: str, role: Role, *, idempotency_key: str | None = None
) -> tuple[Invitation, str]:
    """Returns the invitation and its link, which is not stored. Earlier invitations to the same address are void.

    Raises ValidationFailed, RepeatedRequest for a repeated idempotency key, or Conflict if the address belongs to a
    member or too many invitations are open.
    """
    async with tenancy.changing(actor, slug, Action.INVITE_MEMBER) as change:
        address = checked_email(email)
        await only_once(change, "inviteMember", idempotency_key, [address, str(role)])
        await _refuse_member(change, address)
        return await invite_in(change, address, role)


async def invite_in(change: Change, address: str, role: Role) -> tuple[Invitation, str]:
    """Inside an open change: the invitation of someone who is not a member, and its link. Raises Conflict if too many are open."""
    await _make_room(change, address)
    link = Link(
        id=ids.new(INVITATION_ID),
        purpose=Purpose.INVITATION,
        created_at=change.now,
        workspace_id=change.workspace.id,
        email=address,
        role=role,
        created_by=change.actor.id,
    )
    url = await links.issue(link)
    await audit.record(change, events.INVITED, link.id, email=address, role=str(role))
    await mails.send(address, emails.invitation(change.workspace.name, change.actor.name, url), change.now)
    return Invitation.of(link), url


async def withdraw_invitation(actor: Actor, slug: str | None, invitation_id: str) -> Invitation:
    """Withdraws an invitation and invalidates its link. Raises NotFound, also for one that was accepted or has expired."""
    async with tenancy.changing(actor, slug, Action.INVITE_MEMBER) as change:
        for link in await link_store.open_invitations(change.workspace.id, change.now):
            if link.id == invitation_id:
                await _withdraw(change, link)
                return Invitation.of(link)
        raise NotFound("invitation")


async def withdraw_made_by(change: Change, user_id: str) -> None:
    """Inside the change that ends a member's right to invite: withdraws the invitations they made."""
    for link in await link_store.open_invitations(change.workspace.id, change.now):
        if link.created_by == user_id:
            await _withdraw(change, link)


async def withdraw_owners(change: Change) -> None:
    """Inside a change that decides who owns the workspace: withdraws every invitation of an owner."""
    for link in await link_store.open_invitations(change.workspace.id, change.now):
        if link.role is Role.OWNER:
            await _withdraw(change, link)


async def find_invitation(token: str) -> InvitationView | None:
    """The invitation of an open link; reading it does not use it up."""
    link = await links.find(Purpose.INVITATION, token)
    if link is None:
        return None
    invitation = Invitation.of(link)
    workspace = await workspace_store.find(invitation.workspace_id)
    known = await user_store.find_by_email(email_key(invitation.email))
    return InvitationView(workspace.name, invitation.email, invitation.role, known is not None) if workspace else None


async def accept_as_new(request: Request, token: str, name: str, password: str) -> SignedIn:
    """Creates a user for the invited address, makes them a member and signs them in.

    Raises LinkExpired, ValidationFailed (also if there is a user with that address, who has to sign in first), or TooManyAttempts.
    """
    invitation = Invitation.of(await links.get(Purpose.INVITATION, token))
    user, password_hash = await registration.new_user(invitation.email, name, password)
    actor = Actor.user(user.id, user.name, request)
    async with tenancy.changing_installation(actor) as change:
        await registration.add_user(change, user, password_hash)
        await _join(actor, token, invitation, user)
        return await sessions.begin(change, user)


async def accept(actor: Actor, token: str) -> Workspace:
    """The workspace that the actor, signed in with the invited address, now belongs to.

    Raises LinkExpired, NotAllowed for any other user, or Conflict for a member.
    """
    invitation = Invitation.of(await links.get(Purpose.INVITATION, token))
    user = await user_store.find(actor.id) if actor.kind is ActorKind.USER else None
    if user is None or email_key(user.email) != email_key(invitation.email):
        raise NotAllowed(f"This invitation is for {invitation.email}. Sign in with that address to accept it.")
    return await _join(actor, token, invitation, user)


async def _join(actor: Actor, token: str, invitation: Invitation, user: User) -> Workspace:
    async with tenancy.joining(actor, invitation.workspace_id) as change:
        if await workspace_store.find_member(change.workspace.id, user.id):
            raise Conflict("You are already a member of this workspace.")
        await links.use(Purpose.INVITATION, token, change.now)
        await workspace_store.add_member(Member(ids.new(MEMBER_ID), change.workspace.id, user, invitation.role, change.now))
        await audit.record(change, events.JOINED, user.id, role=str(invitation.role), invitation=invitation.id)
        return change.workspace


async def _refuse_member(change: Change, address: str) -> None:
    known = await user_store.find_by_email(email_key(address))
    if known and await workspace_store.find_member(change.workspace.id, known.id):
        raise Conflict(f"{known.email} is already a member.")


async def _make_room(change: Change, address: str) -> None:
    """Withdraws earlier invitations to the address. Raises Conflict if too many others are open."""
    waiting = await link_store.open_invitations(change.workspace.id, change.now)
    earlier = [link for link in waiting if link.email and email_key(link.email) == email_key(address)]
    for link in earlier:
        await link_store.delete(link.id)
    if len(waiting) - len(earlier) >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} invitations are already pending. Withdraw one first.")


async def _withdraw(change: Change, link: Link) -> None:
    await link_store.delete(link.id)
    await audit.record(change, events.INVITATION_WITHDRAWN, link.id, email=link.email)
