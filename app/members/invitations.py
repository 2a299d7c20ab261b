"""Invitations: a link for one address and one use, seven days long. By mail where mail is set up, else passed on by hand."""

from __future__ import annotations

from app import database, ids, mail
from app.access.actor import Actor, ActorKind, Request, Role
from app.access.policy import Action
from app.accounts import founding, letters, links, sessions, store
from app.accounts.link import Link, Purpose
from app.accounts.person import checked_email, email_key
from app.accounts.session import SignedIn
from app.audit import service as audit
from app.errors import Conflict, NotAllowed, NotFound
from app.keys.repeat import only_once
from app.members.invitation import MOST_OPEN, Invitation, InvitationView
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import Member, User, Workspace


async def invitations(actor: Actor, slug: str | None) -> list[Invitation]:
    """The open ones, the oldest first."""
    access = await tenancy.reading(actor, slug, Action.READ_MEMBERS)
    return [Invitation.of(link) for link in await store.invitations(access.workspace.id, await database.now())]


async def get_invitation(actor: Actor, invitation_id: str) -> Invitation:
    """An open one. Raises NotFound, also for one of a workspace the actor does not belong to; NotAllowed."""
    link = await store.invitation_by_id(invitation_id, await database.now())
    if link is None:
        raise NotFound("invitation")
    found = Invitation.of(link)
    await tenancy.reading(actor, None, Action.READ_MEMBERS, workspace_id=found.workspace_id)
    return found


async def invite(
    actor: Actor, slug: str | None, email: str, role: Role, *, idempotency_key: str | None = None
) -> tuple[Invitation, str]:
    """The invitation and its link, which is nowhere else. An earlier one of the same address is void.

    Raises ValidationFailed, Repeated for an idempotency key that invited before, or Conflict for who is a member already and
    when too many are open.
    """
    async with tenancy.changing(actor, slug, Action.INVITE_MEMBER) as change:
        address = checked_email(email)
        await only_once(change, "inviteMember", idempotency_key, [address, str(role)])
        await _refuse_member(change, address)
        await _make_room(change, address)
        link = Link(
            id=ids.new(ids.INVITATION),
            purpose=Purpose.INVITATION,
            created_at=change.now,
            workspace=change.place.id,
            email=address,
            role=role,
            created_by=actor.id,
        )
        url = await links.issue(link)
        await audit.record(change, "member.invited", link.id, email=address, role=str(role))
    letter = letters.invitation(change.place.name, actor.name, url)
    mail.current().send(address, letter.subject, letter.text)
    return Invitation.of(link), url


async def withdraw_invitation(actor: Actor, slug: str | None, invitation_id: str) -> Invitation:
    """Its link opens nothing any more. Raises NotFound, also for one that was accepted or is too old."""
    async with tenancy.changing(actor, slug, Action.INVITE_MEMBER) as change:
        for link in await store.invitations(change.place.id, change.now):
            if link.id == invitation_id:
                await _withdraw(change, link)
                return Invitation.of(link)
        raise NotFound("invitation")


async def withdraw_made_by(change: Change, user_id: str) -> None:
    """Within the change that takes somebody's right to invite: nobody joins on their word any more."""
    for link in await store.invitations(change.place.id, change.now):
        if link.created_by == user_id:
            await _withdraw(change, link)


async def find_invitation(token: str) -> InvitationView | None:
    """What a living link is about; looking does not use it up."""
    link = await links.find(Purpose.INVITATION, token)
    if link is None:
        return None
    invitation = Invitation.of(link)
    workspace = await workspace_store.find(invitation.workspace_id)
    known = await workspace_store.find_user_by_email(email_key(invitation.email))
    return InvitationView(workspace.name, invitation.email, invitation.role, known is not None) if workspace else None


async def accept_as_new(request: Request, token: str, name: str, password: str) -> SignedIn:
    """A new account for the invited address, a member and signed in.

    Raises LinkExpired, ValidationFailed (also when somebody has that address: they sign in first), or TooManyAttempts.
    """
    invitation = Invitation.of(await links.get(Purpose.INVITATION, token))
    user, password_hash = await founding.new_user(invitation.email, name, password)
    actor = Actor.user(user.id, user.name, request)
    async with tenancy.changing_installation(actor) as change:
        await founding.add_user(change, user, password_hash)
        await _join(actor, token, invitation, user)
        return await sessions.begin(change, user)


async def accept(actor: Actor, token: str) -> Workspace:
    """The workspace that the actor, signed in with the invited address, now belongs to.

    Raises LinkExpired, NotAllowed for anybody else, or Conflict for who is a member already.
    """
    invitation = Invitation.of(await links.get(Purpose.INVITATION, token))
    user = await workspace_store.find_user(actor.id) if actor.kind is ActorKind.USER else None
    if user is None or email_key(user.email) != email_key(invitation.email):
        raise NotAllowed(f"This invitation is for {invitation.email}. Sign in with that address to accept it.")
    return await _join(actor, token, invitation, user)


async def _join(actor: Actor, token: str, invitation: Invitation, user: User) -> Workspace:
    async with tenancy.joining(actor, invitation.workspace_id) as change:
        if await workspace_store.find_member(change.place.id, user.id):
            raise Conflict("You are a member of this workspace already.")
        await links.use(Purpose.INVITATION, token, change.now)
        await workspace_store.add_member(Member(ids.new(ids.MEMBER), change.place.id, user, invitation.role, change.now))
        await audit.record(change, "member.joined", user.id, role=str(invitation.role), invitation=invitation.id)
        return change.place


async def _refuse_member(change: Change, address: str) -> None:
    known = await workspace_store.find_user_by_email(email_key(address))
    if known and await workspace_store.find_member(change.place.id, known.id):
        raise Conflict(f"{known.email} is a member already.")


async def _make_room(change: Change, address: str) -> None:
    """The new link is the only one for its address."""
    waiting = await store.invitations(change.place.id, change.now)
    earlier = [link for link in waiting if link.email and email_key(link.email) == email_key(address)]
    for link in earlier:
        await store.drop_link(link.id)
    if len(waiting) - len(earlier) >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} invitations are open already. Withdraw one first.")


async def _withdraw(change: Change, link: Link) -> None:
    await store.drop_link(link.id)
    await audit.record(change, "invitation.withdrawn", link.id, email=link.email)
