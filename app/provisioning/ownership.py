"""Provides a workspace for a customer, and transfers one to another owner: by e-mail address, known or not."""

from __future__ import annotations

from dataclasses import dataclass

from app import catalogue, ids, mail
from app.access import policy
from app.access.actor import Actor, Role
from app.access.policy import OperatorAction
from app.audit import service as audit
from app.catalogue import Catalogue
from app.errors import FieldProblem, ValidationFailed
from app.keys.idempotency import IdempotencyKey
from app.members import emails, events
from app.members import invitations as inviting
from app.members import service as members
from app.outbox import mails
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import MEMBER_ID, Member, Workspace
from app.users import store as user_store
from app.users.validation import checked_email, email_fault, email_key
from app.workspaces import creation
from app.workspaces import events as workspace_events
from app.workspaces.validation import slug_fault, workspace_name_fault


@dataclass(frozen=True, slots=True)
class Owned:
    """A workspace with its new owner. `link`: what the owner opens to accept the invitation, shown only once; None for someone
    who has an account here, and owns the workspace at once."""

    workspace: Workspace
    link: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Input for a workspace that was not validated yet. Without a slug, one is made from the name."""

    name: str
    owner_email: str
    slug: str | None = None
    plan: str = catalogue.FALLBACK_PLAN

    def require_valid(self, known: Catalogue) -> None:
        """Raises ValidationFailed with every fault."""
        faults = [workspace_name_fault(self.name), email_fault(self.owner_email, "ownerEmail")]
        faults.append(slug_fault(self.slug) if self.slug is not None else None)
        if self.plan not in known.plans:
            faults.append(FieldProblem("plan", "UNKNOWN", f"There is no plan {self.plan!r}."))
        if found := [fault for fault in faults if fault]:
            raise ValidationFailed(*found)


async def provision(actor: Actor, wanted: Wanted, *, idempotency_key: str | None = None) -> Owned:
    """A new workspace whose owner has this address. Repeated with the same idempotency key, it is the same one, without a link.

    Raises ValidationFailed, or Conflict if the idempotency key was used with other input.
    """
    policy.require_operator(actor, OperatorAction.CREATE_WORKSPACE)
    wanted.require_valid(catalogue.current())
    asked = [wanted.name, wanted.owner_email, wanted.slug, wanted.plan]
    async with tenancy.changing_installation(actor) as change:
        repeat = IdempotencyKey.of(change, "provisionWorkspace", idempotency_key, asked)
        if repeat and (made := await repeat.find_result(change)):
            return Owned((await tenancy.seen(actor, None, workspace_id=made)).workspace, None)
        workspace = await creation.create_in(change, None, wanted.name, slug=wanted.slug, plan=wanted.plan)
        if repeat:
            await repeat.remember(change, workspace.id)
        there = Change(change.actor, change.now, workspace, journal=change.journal)
        return Owned(workspace, await _make_owner(there, checked_email(wanted.owner_email)))


async def transfer(actor: Actor, slug: str, owner_email: str) -> Owned:
    """Makes the user with this address the only owner, at once or by an invitation; those who owned it become editors.

    Each of these gets an e-mail, and management keys that they made can do from now on what an editor may. Open invitations of
    owners are withdrawn. Raises NotFound or ValidationFailed.
    """
    policy.require_operator(actor, OperatorAction.TRANSFER_WORKSPACE)
    if fault := email_fault(owner_email, "ownerEmail"):
        raise ValidationFailed(fault)
    address = checked_email(owner_email)
    async with tenancy.changing(actor, slug, OperatorAction.TRANSFER_WORKSPACE) as change:
        await inviting.withdraw_owners(change)
        link = await _make_owner(change, address)
        former = [
            member
            for member in await workspace_store.members(change.workspace.id)
            if member.role is Role.OWNER and email_key(member.user.email) != email_key(address)
        ]
        for member in former:
            await members.set_role_in(change, member, Role.EDITOR)
            notice = emails.no_longer_owner(change.workspace.name, change.actor.name, address, _page(change))
            await mails.send(member.user.email, notice, change.now)
        if former or link:
            await audit.record(change, workspace_events.TRANSFERRED, change.workspace.id, owner=address)
        return Owned(change.workspace, link)


async def _make_owner(change: Change, address: str) -> str | None:
    """The link of an invitation for someone without an account."""
    user = await user_store.find_by_email(email_key(address))
    if user is None:
        return (await inviting.invite_in(change, address, Role.OWNER))[1]
    member = await workspace_store.find_member(change.workspace.id, user.id)
    if member is not None and member.role is Role.OWNER:
        return None
    if member is not None:
        await members.set_role_in(change, member, Role.OWNER)
    else:
        await workspace_store.add_member(Member(ids.new(MEMBER_ID), change.workspace.id, user, Role.OWNER, change.now))
        await audit.record(change, events.JOINED, user.id, role=str(Role.OWNER))
    await mails.send(user.email, emails.now_owner(change.workspace.name, _page(change)), change.now)
    return None


def _page(change: Change) -> str:
    return mail.current().link(f"/w/{change.workspace.slug}")
