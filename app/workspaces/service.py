"""What changes a workspace itself, and where its members were last."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from enum import Enum
from typing import Final

from app import database
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.errors import Unavailable
from app.tenancy import service as tenancy
from app.tenancy import store
from app.tenancy.service import Change
from app.tenancy.workspace import BusinessHours, Workspace
from app.versions import require_same
from app.workspaces import rules


class Unset(Enum):
    """For what is left out where None is a choice."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


async def update(
    actor: Actor,
    slug: str | None,
    *,
    name: str | None = None,
    timezone: str | None = None,
    business_hours: BusinessHours | Unset | None = UNSET,
    seen: str | None = None,
) -> Workspace:
    """Changes what is given; no business hours are a choice. The slug, which is in addresses, stays. Raises ValidationFailed,
    or Stale if the workspace is no longer the version that was seen."""
    async with tenancy.changing(actor, slug, Action.UPDATE_WORKSPACE) as change:
        new = replace(
            change.place,
            name=change.place.name if name is None else name,
            timezone=change.place.timezone if timezone is None else timezone,
            business_hours=change.place.business_hours if isinstance(business_hours, Unset) else business_hours,
        )
        checked = rules.checked(new)
        # Sent twice, the second time finds what it asks for.
        if checked != change.place:
            require_same(seen, change.place.version)
        return await _apply(change, checked)


async def suspend(actor: Actor, slug: str) -> Workspace:
    """From the next request on none of its keys is accepted, and its members change nothing. For the operator."""
    return await _set_suspended(actor, slug, suspended=True)


async def resume(actor: Actor, slug: str) -> Workspace:
    """Its keys are accepted again from the next request on. For the operator."""
    return await _set_suspended(actor, slug, suspended=False)


async def remember_last(user_id: str, workspace_id: str) -> None:
    """Notes where somebody was last, for `last_of`; no reason to refuse anything when it cannot be noted."""
    if await store.last_workspace(user_id) == workspace_id:
        return
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.set_last_workspace(user_id, workspace_id)


async def last_of(actor: Actor) -> Workspace | None:
    """The workspace that the actor visited last, else the first one by name, else None."""
    places = [access.workspace for access in await tenancy.mine(actor)]
    last = await store.last_workspace(actor.user_id) if actor.user_id else None
    return next((place for place in places if place.id == last), places[0] if places else None)


async def _apply(change: Change, new: Workspace) -> Workspace:
    """Writes what differs, with its one entry; nothing if nothing does."""
    before, after = store.settings_of(change.place), store.settings_of(new)
    changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
    if changed:
        await store.update(new.id, {name: after[name] for name in changed})
        await audit.record(change, "workspace.updated", new.id, **changed)
    return new


async def _set_suspended(actor: Actor, slug: str, *, suspended: bool) -> Workspace:
    policy.require_operator(actor, OperatorAction.SUSPEND_WORKSPACE)
    async with tenancy.changing(actor, slug, Action.UPDATE_WORKSPACE) as change:
        if (change.place.suspended_at is not None) is suspended:
            return change.place
        instant = change.now if suspended else None
        await store.update(change.place.id, {"suspended_at": instant})
        await audit.record(change, f"workspace.{'suspended' if suspended else 'resumed'}", change.place.id)
        return replace(change.place, suspended_at=instant)
