"""Changes and suspends workspaces, and remembers which one a user visited last."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Final

from app import database
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.errors import Unavailable
from app.tenancy import service as tenancy
from app.tenancy import store
from app.tenancy.service import Access, Change
from app.tenancy.workspace import BusinessHours, Workspace
from app.users import store as user_store
from app.versions import require_same
from app.workspaces import events, validation


class Unset(Enum):
    """The default of arguments for which None is a valid value."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


async def update(
    actor: Actor,
    slug: str | None,
    *,
    name: str | None = None,
    timezone: str | None = None,
    business_hours: BusinessHours | Unset | None = UNSET,
    logs_requests: bool | None = None,
    expected: str | None = None,
) -> Workspace:
    """Changes the given settings; None removes business hours. The slug, which is part of URLs, stays. A log of
    requests that is switched off is deleted within minutes. Raises ValidationFailed,
    or Stale if the workspace is no longer the version that was seen."""
    async with tenancy.changing(actor, slug, Action.UPDATE_WORKSPACE) as change:
        return await _apply(change, _edited(change.workspace, name, timezone, business_hours, logs_requests, expected))


async def check_update(
    actor: Actor,
    slug: str | None,
    *,
    name: str | None = None,
    timezone: str | None = None,
    business_hours: BusinessHours | Unset | None = UNSET,
    logs_requests: bool | None = None,
    expected: str | None = None,
) -> Workspace:
    """The workspace as `update` would change it, without changing it. Raises the same errors as `update`."""
    access = await tenancy.reading(actor, slug, Action.UPDATE_WORKSPACE)
    return _edited(access.workspace, name, timezone, business_hours, logs_requests, expected)


async def suspend(actor: Actor, slug: str) -> Workspace:
    """Suspends a workspace: its keys are refused from the next request on, and its members change nothing. For the operator."""
    return await _set_suspended(actor, slug, suspended=True)


async def resume(actor: Actor, slug: str) -> Workspace:
    """Resumes a workspace: its keys are accepted again from the next request on. For the operator."""
    return await _set_suspended(actor, slug, suspended=False)


async def remember_last(user_id: str, workspace_id: str) -> None:
    """Remembers the user's last workspace for `last_of`. If the database is too busy, this is skipped."""
    if await user_store.find_last_workspace(user_id) == workspace_id:
        return
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await user_store.set_last_workspace(user_id, workspace_id)


async def last_of(actor: Actor, memberships: Sequence[Access]) -> Access | None:
    """Of the actor's memberships that in the workspace visited last, else the first one, else None."""
    last = await user_store.find_last_workspace(actor.user_id) if actor.user_id and memberships else None
    return next((access for access in memberships if access.workspace.id == last), memberships[0] if memberships else None)


def _edited(
    place: Workspace,
    name: str | None,
    timezone: str | None,
    business_hours: BusinessHours | Unset | None,
    logs_requests: bool | None,
    expected: str | None,
) -> Workspace:
    """The workspace with the given settings, normalized. Raises the same errors as `update`."""
    asked = replace(
        place,
        name=place.name if name is None else name,
        timezone=place.timezone if timezone is None else timezone,
        business_hours=place.business_hours if isinstance(business_hours, Unset) else business_hours,
        logs_requests=place.logs_requests if logs_requests is None else logs_requests,
    )
    new = validation.checked(asked)
    # A repeated request finds nothing left to change.
    if new != place:
        require_same(expected, place.version)
    return new


async def _apply(change: Change, new: Workspace) -> Workspace:
    """Stores changed settings with one audit entry; no-op without changes."""
    before, after = store.settings_of(change.workspace), store.settings_of(new)
    changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
    if changed:
        await store.update(new.id, {name: after[name] for name in changed})
        await audit.record(change, events.UPDATED, new.id, **changed)
    return new


async def _set_suspended(actor: Actor, slug: str, *, suspended: bool) -> Workspace:
    async with tenancy.changing(actor, slug, OperatorAction.SUSPEND_WORKSPACE) as change:
        if (change.workspace.suspended_at is not None) is suspended:
            return change.workspace
        instant = change.now if suspended else None
        await store.update(change.workspace.id, {"suspended_at": instant})
        await audit.record(change, events.SUSPENDED if suspended else events.RESUMED, change.workspace.id)
        return replace(change.workspace, suspended_at=instant)
