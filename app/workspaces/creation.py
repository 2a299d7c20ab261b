"""Creates a workspace with its owner."""

from __future__ import annotations

from app import catalogue, ids
from app.access.actor import Role
from app.audit import service as audit
from app.names import plain_name
from app.tenancy import store
from app.tenancy.service import Change
from app.tenancy.workspace import MEMBER_ID, WORKSPACE_ID, Member, Workspace, slug_for
from app.users.user import User
from app.workspaces import events


async def create_in(change: Change, owner: User, name: str) -> Workspace:
    """Inside a change of the installation, whose lock keeps slugs unique: creates a workspace on the initial plan and its owner."""
    workspace = Workspace(
        id=ids.new(WORKSPACE_ID),
        slug=await _free_slug(slug_for(name)),
        name=plain_name(name),
        plan=catalogue.FALLBACK_PLAN,
        timezone="UTC",
        business_hours=None,
        created_at=change.now,
        suspended_at=None,
    )
    await store.add(workspace, audit.wrapped_key(workspace.id))
    await store.add_member(Member(ids.new(MEMBER_ID), workspace.id, owner, Role.OWNER, change.now))
    # The first entry of the new workspace's own chain, not of the installation's.
    there = Change(change.actor, change.now, workspace)
    await audit.record(there, events.CREATED, workspace.id, name=workspace.name, slug=workspace.slug, owner=owner.id)
    return workspace


async def _free_slug(wanted: str) -> str:
    """The first of `acme`, `acme-2`, `acme-3` … that no workspace has."""
    taken = await store.slugs_like(wanted)
    return next(
        slug for number in range(1, len(taken) + 2) if (slug := f"{wanted}-{number}" if number > 1 else wanted) not in taken
    )
