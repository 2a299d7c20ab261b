"""The two doors to a workspace: `reading` for a look, `changing` for the one transaction in which it changes.

Both answer NotFound for a workspace the actor does not belong to, and NotAllowed where the policy says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from app import database
from app.access import policy
from app.access.actor import Actor, ActorKind, Role
from app.access.policy import Action
from app.errors import FieldProblem, NotAllowed, NotFound, ValidationFailed
from app.journal import file as journal
from app.tenancy import store
from app.tenancy.workspace import User, Workspace

SYSTEM_CHAIN: Final = "system"


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
    # Lines of the revocation journal: written after the commit and before anybody is answered.
    journal: list[dict[str, Any]] = field(default_factory=list)

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
    async with _committed() as lines:
        found = await _find(actor, slug, workspace_id)
        workspace = _found(await store.lock(found.workspace.id))
        access = await _find(actor, None, workspace.id)
        policy.require(actor, access.role, action, suspended=workspace.suspended_at is not None)
        now = await database.now()
        policy.require_recent(actor, action, now)
        yield Change(actor, now, workspace, lines)


@contextlib.asynccontextmanager
async def changing_installation(actor: Actor) -> AsyncIterator[Change]:
    """The same for what belongs to no workspace: people, gateway tokens. The caller has decided that the actor may."""
    async with _committed() as lines:
        await store.lock_installation()
        yield Change(actor, await database.now(), None, lines)


@contextlib.asynccontextmanager
async def joining(actor: Actor, workspace_id: str) -> AsyncIterator[Change]:
    """The one change by somebody who does not belong yet. The caller has checked what invites them.

    Raises NotAllowed while the workspace is suspended.
    """
    async with _committed() as lines:
        workspace = _found(await store.lock(workspace_id))
        if workspace.suspended_at is not None:
            raise NotAllowed("This workspace is suspended; nobody can join it now.")
        yield Change(actor, await database.now(), workspace, lines)


@contextlib.asynccontextmanager
async def _committed() -> AsyncIterator[list[dict[str, Any]]]:
    """A transaction whose lines for the revocation journal are written after its commit and before anybody is answered."""
    lines: list[dict[str, Any]] = []
    nested = database.in_transaction()
    async with database.transaction():
        yield lines
    # Inside another transaction nothing is committed yet; the code that opened that one writes the journal.
    if lines and not nested:
        await journal.current().append(lines)


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
