"""Deletes a workspace. What is needed to refuse its keys, and to check its history, stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.calendar import store as calendar_store
from app.errors import FieldProblem, ValidationFailed
from app.keys import service as keys
from app.management_keys import store as management_store
from app.one_time_links import store as link_store
from app.rotations import store as rotation_store
from app.rotations.rotation import Ending, Outcome
from app.sessions import service as sessions
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import Workspace
from app.webhooks import store as webhook_store
from app.workspaces import events

_NOTE: Final = "The workspace was deleted."


async def delete(actor: Actor, workspace_id: str, slug: str) -> Workspace:
    """Deletes a workspace permanently, in one change: its API keys and management keys are revoked, and its rotations, webhooks,
    memberships, invitations and calendar link end. Its slug is free again.

    `slug` must be its slug, typed once more. Raises NotFound, NotAllowed, or ValidationFailed for another slug.
    """
    async with tenancy.changing(actor, None, Action.DELETE_WORKSPACE, workspace_id=workspace_id) as change:
        if slug.strip() != change.workspace.slug:
            raise ValidationFailed(FieldProblem("slug", "INVALID", f"Type {change.workspace.slug} to delete this workspace."))
        return await delete_in(change)


async def delete_in(change: Change, **detail: object) -> Workspace:
    """Inside an open change; `detail`: additional data of the audit entry. Only rows of this workspace are written, each kind in
    one statement, so that many keys do not keep others waiting."""
    workspace = change.workspace
    api_keys = await keys.revoke_every(change, _NOTE)
    management_keys = await management_store.revoke_every(workspace.id, change.now)
    await rotation_store.end_every(workspace.id, Ending(change.now, change.actor.ref, Outcome.CANCELLED))
    await webhook_store.remove_every(workspace.id)
    await calendar_store.drop(workspace.id)
    await link_store.delete_of_workspace(workspace.id)
    for member in await workspace_store.members(workspace.id):
        await workspace_store.remove_member(workspace.id, member.user.id)
        if not await workspace_store.of_user(member.user.id):
            await sessions.end_all(member.user.id)
    # Without webhooks, before the entry is recorded: no receiver is left.
    ended = replace(workspace, slug=workspace.id, webhooks=0, deleted_at=change.now)
    await workspace_store.update(ended.id, {"slug": ended.slug, "webhooks": 0, "deleted_at": ended.deleted_at})
    counted = {"api_keys": api_keys, "management_keys": management_keys}
    there = replace(change, locked_workspace=ended)
    await audit.record(there, events.DELETED, ended.id, name=workspace.name, slug=workspace.slug, **counted, **detail)
    return ended
