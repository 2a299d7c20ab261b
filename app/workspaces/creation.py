"""Creates a workspace with its owner."""

from __future__ import annotations

from app import catalogue, ids
from app.access.actor import Role
from app.audit import service as audit
from app.errors import FieldProblem, ValidationFailed
from app.names import plain_name
from app.tenancy import store
from app.tenancy.service import Change
from app.tenancy.workspace import MEMBER_ID, WORKSPACE_ID, Member, Workspace, slug_for
from app.users.user import User
from app.workspaces import events


async def create_in(
    change: Change, owner: User | None, name: str, *, slug: str | None = None, plan: str = catalogue.FALLBACK_PLAN
) -> Workspace:
    """Inside a change of the installation, whose lock keeps slugs unique: creates a workspace and its owner, by default on the
    initial plan, with a slug made from its name. Raises ValidationFailed for a given slug that is in use."""
    if slug is not None and slug in await store.slugs_like(slug):
        raise ValidationFailed(FieldProblem("slug", "INVALID", f"Another workspace has the slug {slug!r}."))
    workspace = Workspace(
        id=ids.new(WORKSPACE_ID),
        slug=slug or await _free_slug(slug_for(name)),
        name=plain_name(name),
        plan=plan,
        timezone="UTC",
        business_hours=None,
        created_at=change.now,
        suspended_at=None,
    )
    await store.add(workspace, audit.wrapped_key(workspace.id))
    if owner:
        await store.add_member(Member(ids.new(MEMBER_ID), workspace.id, owner, Role.OWNER, change.now))
    # The first entry of the new workspace's own chain, not of the installation's.
    there = Change(change.actor, change.now, workspace)
    owned = {"owner": owner.id} if owner else {}
    await audit.record(there, events.CREATED, workspace.id, name=workspace.name, slug=workspace.slug, **owned)
    return workspace


async def _free_slug(wanted: str) -> str:
    """The first of `acme`, `acme-2`, `acme-3` … that no workspace has."""
    taken = await store.slugs_like(wanted)
    return next(
        slug for number in range(1, len(taken) + 2) if (slug := f"{wanted}-{number}" if number > 1 else wanted) not in taken
    )
