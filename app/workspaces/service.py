"""The two doors to a workspace: `reading` for a look, `changing` for the one transaction in which it changes.

Both answer NotFound for a workspace the actor does not belong to, and NotAllowed where the policy says so. Below them is
what changes a workspace itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from app import database
from app.access import policy
from app.access.actor import Actor, ActorKind, Role
from app.access.policy import Action, OperatorAction
from app.errors import FieldProblem, NotAllowed, NotFound, Unavailable, ValidationFailed
from app.versions import require_same
from app.workspaces import rules, store
from app.workspaces.workspace import BusinessHours, User, Workspace

SYSTEM_CHAIN: Final = "system"


class Unset(Enum):
    """For what is left out where None is a choice."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Access:
    """What `reading` found: the workspace, and the actor's role in it (None above workspaces)."""

    workspace: Workspace
    role: Role | None


@dataclass(frozen=True, slots=True)
class Change:
    """An open transaction that holds a lock: nobody else changes this workspace (None: the installation) until it ends.

    `now` is the database's time, read after the lock was had; all decisions of the change go by it.
    """

    actor: Actor
    now: int
    workspace: Workspace | None
    # What the audit log got in this transaction; gathered for whoever must know after the commit.
    entries: list[Any] = field(default_factory=list)

    @property
    def chain(self) -> str:
        """The audit chain this change is written to."""
        return self.workspace.id if self.workspace else SYSTEM_CHAIN

    @property
    def place(self) -> Workspace:
        """The workspace; RuntimeError for a change of the installation."""
        if self.workspace is None:
            raise RuntimeError("this change belongs to no workspace")
        return self.workspace


async def reading(actor: Actor, slug: str | None, action: Action, *, workspace_id: str | None = None) -> Access:
    """The workspace of this slug or id; without either the actor's only one."""
    access = await _find(actor, slug, workspace_id)
    policy.require(actor, access.role, action, suspended=access.workspace.suspended_at is not None)
    return access


async def seen(actor: Actor, slug: str | None, *, workspace_id: str | None = None) -> Access:
    """The same where belonging is enough: for what every member, and a key of whatever scope, may know of its workspace."""
    return await _find(actor, slug, workspace_id)


async def mine(actor: Actor) -> list[Access]:
    """Every workspace the actor belongs to; a management key belongs to one."""
    if actor.workspace_id is not None:
        return [await _find(actor, None, actor.workspace_id)]
    return [Access(*found) for found in await store.of_user(actor.user_id)] if actor.user_id else []


async def myself(actor: Actor) -> User | None:
    """The person who asks; None for a management key."""
    return await store.find_user(actor.id) if actor.kind is ActorKind.USER else None


@contextlib.asynccontextmanager
async def changing(actor: Actor, slug: str | None, action: Action, *, workspace_id: str | None = None) -> AsyncIterator[Change]:
    """Locks the workspace, then asks again who the actor is there: a role that was just taken away no longer counts.

    Raises ConfirmationNeeded too, for a change that wants a password given just before.
    """
    async with _committed() as entries:
        found = await _find(actor, slug, workspace_id)
        workspace = _found(await store.lock(found.workspace.id))
        access = await _find(actor, None, workspace.id)
        policy.require(actor, access.role, action, suspended=workspace.suspended_at is not None)
        now = await database.now()
        policy.require_recent(actor, action, now)
        yield Change(actor, now, workspace, entries)


@contextlib.asynccontextmanager
async def changing_installation(actor: Actor) -> AsyncIterator[Change]:
    """The same for what belongs to no workspace: people, gateway tokens. The caller has decided that the actor may."""
    async with _committed() as entries:
        await store.lock_installation()
        yield Change(actor, await database.now(), None, entries)


@contextlib.asynccontextmanager
async def joining(actor: Actor, workspace_id: str) -> AsyncIterator[Change]:
    """The one change by somebody who does not belong yet. The caller has checked what invites them.

    Raises NotAllowed while the workspace is suspended.
    """
    async with _committed() as entries:
        workspace = _found(await store.lock(workspace_id))
        if workspace.suspended_at is not None:
            raise NotAllowed("This workspace is suspended; nobody can join it now.")
        yield Change(actor, await database.now(), workspace, entries)


@contextlib.asynccontextmanager
async def _committed() -> AsyncIterator[list[Any]]:
    """A transaction whose audit entries are handed on after its commit and before anybody is answered."""
    entries: list[Any] = []
    nested = database.in_transaction()
    async with database.transaction():
        yield entries
    # Inside another transaction nothing is committed yet; the code that opened that one writes the journal.
    if entries and not nested:
        await _after_commit(entries)


def bind(record: Callable[..., Awaitable[None]], after_commit: Callable[[list[Any]], Awaitable[None]]) -> None:
    """Gives the changes below their audit log, which stands above workspaces because it is read by their rules, and all
    changes what is called after their commit with the entries that they made."""
    global _record, _after_commit
    _record, _after_commit = record, after_commit


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
    async with changing(actor, slug, Action.UPDATE_WORKSPACE) as change:
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
    places = [access.workspace for access in await mine(actor)]
    last = await store.last_workspace(actor.user_id) if actor.user_id else None
    return next((place for place in places if place.id == last), places[0] if places else None)


async def _apply(change: Change, new: Workspace) -> Workspace:
    """Writes what differs, with its one entry; nothing if nothing does."""
    before, after = store.settings_of(change.place), store.settings_of(new)
    changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
    if changed:
        await store.update(new.id, {name: after[name] for name in changed})
        await _record(change, "workspace.updated", new.id, **changed)
    return new


async def _set_suspended(actor: Actor, slug: str, *, suspended: bool) -> Workspace:
    policy.require_operator(actor, OperatorAction.SUSPEND_WORKSPACE)
    async with changing(actor, slug, Action.UPDATE_WORKSPACE) as change:
        if (change.place.suspended_at is not None) is suspended:
            return change.place
        instant = change.now if suspended else None
        await store.update(change.place.id, {"suspended_at": instant})
        await _record(change, f"workspace.{'suspended' if suspended else 'resumed'}", change.place.id)
        return replace(change.place, suspended_at=instant)


async def _unbound(*args: Any, **detail: Any) -> None:
    raise RuntimeError("the audit log is not bound yet")


_record: Callable[..., Awaitable[None]] = _unbound
_after_commit: Callable[[list[Any]], Awaitable[None]] = _unbound


async def _find(actor: Actor, slug: str | None, workspace_id: str | None) -> Access:
    if slug is None and workspace_id is None:
        return await _only(actor)
    if actor.user_id is None:
        workspace = await (store.find_by_slug(slug) if slug is not None else store.find(workspace_id or ""))
        return _without_membership(actor, _found(workspace))
    member = await store.find_with_role(slug, workspace_id, actor.user_id)
    if member is None or actor.workspace_id not in (None, member[0].id):
        raise NotFound("workspace")
    return Access(*member)


def _without_membership(actor: Actor, workspace: Workspace) -> Access:
    """Operator and system stand above workspaces; a management key the operator made acts as an owner, in its own one."""
    if not actor.is_member:
        return Access(workspace, None)
    if workspace.id != actor.workspace_id:
        raise NotFound("workspace")
    return Access(workspace, Role.OWNER)


async def _only(actor: Actor) -> Access:
    if actor.workspace_id is not None:
        return await _find(actor, None, actor.workspace_id)
    mine = await store.of_user(actor.user_id) if actor.user_id else []
    if len(mine) != 1:
        raise ValidationFailed(FieldProblem("workspace", "REQUIRED", "`workspace` is required unless you belong to exactly one."))
    return Access(*mine[0])


def _found(workspace: Workspace | None) -> Workspace:
    if workspace is None:
        raise NotFound("workspace")
    return workspace
