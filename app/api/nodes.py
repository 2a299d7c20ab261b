"""`node(id:)`: anything that has an id, found by the use case of its own noun."""

from __future__ import annotations

from app import ids
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action
from app.api.audit import AuditEvent
from app.api.callers import Caller
from app.api.connection import Node
from app.api.context import Context
from app.api.keys import ApiKey
from app.api.management import ManagementKey
from app.api.people import Invitation, Member
from app.api.rotations import Rotation
from app.api.workspaces import Workspace
from app.audit import service as audit
from app.errors import NotAllowed, NotFound
from app.keys import service as keys
from app.management import service as management
from app.members import service as members
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.usage import callers


async def find(context: Context, node_id: str) -> Node | None:
    """None for what is not there, and for what the caller may not see: neither is told from the other."""
    try:
        if ids.is_a(ids.API_KEY, node_id):
            return ApiKey.of(await keys.get(context.actor, node_id, action=_reading(context.actor)), await context.now())
        if ids.is_a(ids.WORKSPACE, node_id):
            return Workspace.of(await tenancy.seen(context.actor, None, workspace_id=node_id), context.actor)
        if ids.is_a(ids.MANAGEMENT_KEY, node_id):
            return ManagementKey.of(await management.get(context.actor, node_id), await context.now())
        if ids.is_a(ids.ROTATION, node_id):
            return Rotation.of(await rotations.get(context.actor, node_id), await context.now())
        if ids.is_a(ids.CALLER, node_id):
            caller = await callers.get(context.actor, node_id)
            return Caller.standing(caller, await context.keys.rotation(caller.key_id))
        if ids.is_a(ids.MEMBER, node_id):
            return Member.of(await members.get(context.actor, node_id))
        if ids.is_a(ids.INVITATION, node_id):
            return Invitation.of(await members.get_invitation(context.actor, node_id))
        if ids.is_a(ids.AUDIT_ENTRY, node_id):
            return AuditEvent.of(await audit.get(context.actor, node_id))
    except (NotFound, NotAllowed):
        return None
    return None


def _reading(actor: Actor) -> Action:
    """What a key is read for: with `usage.read` alone its usage, and no other of its fields passes the table of fields."""
    try:
        policy.require_scope(actor, Action.READ_KEYS)
    except NotAllowed:
        return Action.READ_USAGE
    return Action.READ_KEYS
