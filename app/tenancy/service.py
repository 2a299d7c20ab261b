"""Access to a workspace: `seen` and `reading` to read it, `changing` for the transaction in which it changes.

All raise NotFound for a workspace that the actor does not belong to, and NotAllowed if the policy forbids the action.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from app import database
from app.access import policy
from app.access.actor import Actor, ActorKind, Role
from app.access.policy import Action, AnyAction, OperatorAction
from app.errors import FieldProblem, NotAllowed, NotFound, ValidationFailed
from app.journal import file as journal
from app.paging import Page, Window
from app.tenancy import directory_store, store
from app.tenancy.store import Head
from app.tenancy.workspace import Workspace, WorkspaceFilter
from app.users import store as user_store
from app.users.user import User

SYSTEM_CHAIN: Final = "system"

T = TypeVar("T")


class InWorkspace(Protocol):
    """Something that belongs to a workspace."""

    @property
    def workspace_id(self) -> str: ...


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Proof that an actor belongs to a workspace, read at `now`; `role` is None for operator and system.

    Only this module creates one, after reading the membership. Reading use cases take it as their first argument and check
    the policy with it, without another statement.
    """

    actor: Actor
    workspace: Workspace
    role: Role | None
    now: int

    def require(self, action: AnyAction, *things: InWorkspace) -> None:
        """Raises NotAllowed unless the policy lets the actor do this here. The things must be the workspace's own."""
        policy.require(self.actor, self.role, action, suspended=self.workspace.suspended_at is not None)
        if any(thing.workspace_id != self.workspace.id for thing in things):
            raise RuntimeError("what is read belongs to another workspace")

    def require_recent(self, action: Action, *things: InWorkspace) -> None:
        """Like `require`, for reading what requires a recent password. Also raises ConfirmationNeeded."""
        self.require(action, *things)
        policy.require_recent(self.actor, action, self.now)

    def may(self, action: Action) -> bool:
        """Like `require` but returns a bool, for pages that hide what the user cannot do."""
        return policy.may(self.actor, self.role, action, suspended=self.workspace.suspended_at is not None)


@dataclass(frozen=True, slots=True)
class Change:
    """An open transaction that holds the lock of a workspace (None: the installation), so that nothing else changes it.

    `now` is the database's time, read under the lock; all decisions of the change use it. `role`: the actor's role in the
    workspace, also read under the lock.
    """

    actor: Actor
    now: int
    locked_workspace: Workspace | None
    role: Role | None = None
    # Lines for the revocation journal, written after the commit and before the response.
    journal: list[dict[str, Any]] = field(default_factory=list)
    # A cache, by class, of values that only this change can change, such as the head of the audit chain.
    known: dict[type, Any] = field(default_factory=dict)

    @property
    def chain(self) -> str:
        """The audit chain this change is written to."""
        return self.locked_workspace.id if self.locked_workspace else SYSTEM_CHAIN

    @property
    def workspace(self) -> Workspace:
        """The workspace; RuntimeError for a change of the installation."""
        if self.locked_workspace is None:
            raise RuntimeError("this change belongs to no workspace")
        return self.locked_workspace

    @property
    def access(self) -> Access:
        """The actor's access to the workspace, as read under the lock."""
        return Access(self.actor, self.workspace, self.role, self.now)

    @property
    def parting_access(self) -> Access:
        """The access of an actor who leaves with this change: without any role."""
        return Access(self.actor, self.workspace, None, self.now)


async def seen(actor: Actor, slug: str | None, *, workspace_id: str | None = None) -> Access:
    """Access to the workspace with this slug or id, by default to the actor's only one."""
    return await _find(actor, slug, workspace_id)


async def reading(actor: Actor, slug: str | None, action: Action, *, workspace_id: str | None = None) -> Access:
    """Like `seen`, if the policy allows the action."""
    access = await _find(actor, slug, workspace_id)
    access.require(action)
    return access


async def everywhere(actor: Actor, filter: WorkspaceFilter, window: Window) -> Page[Access]:
    """A page of all workspaces, the newest first; a position is `created_at` and the id. For the operator."""
    policy.require_operator(actor, OperatorAction.LIST_WORKSPACES)
    found, now = await directory_store.page(filter, window)
    return found.of([Access(actor, workspace, None, now) for workspace in found.items])


async def count_everywhere(actor: Actor, filter: WorkspaceFilter) -> int:
    policy.require_operator(actor, OperatorAction.LIST_WORKSPACES)
    return await directory_store.count(filter)


async def mine(actor: Actor) -> list[Access]:
    """Every workspace the actor belongs to; a management key belongs to one."""
    if actor.workspace_id is not None:
        return [await _find(actor, None, actor.workspace_id)]
    return [Access(actor, *found) for found in await store.of_user(actor.user_id)] if actor.user_id else []


async def myself(actor: Actor) -> User | None:
    """The user who is the actor; None for a management key."""
    return await user_store.find(actor.id) if actor.kind is ActorKind.USER else None


@contextlib.asynccontextmanager
async def changing(actor: Actor, slug: str | None, action: AnyAction, *, workspace_id: str | None = None) -> AsyncIterator[Change]:
    """Locks the workspace, then reads the actor's role: one that was just removed no longer counts.

    Also raises ConfirmationNeeded, for an action that requires a recent password.
    """
    if isinstance(action, OperatorAction):
        policy.require_operator(actor, action)
    async with _committed() as lines:
        if slug is None and workspace_id is None:
            workspace_id = actor.workspace_id or (await _only(actor)).workspace.id
        # Checked before locking, so that outsiders never hold the lock; the role is read again once no one else can change it.
        locked = _found(await store.lock(slug, workspace_id, member=actor.user_id, only=actor.workspace_id))
        if actor.user_id is None:
            access = _without_membership(actor, locked.workspace, locked.now)
        else:
            access = await _find(actor, None, locked.workspace.id)
        if locked.workspace.deleted_at is not None and actor.kind is not ActorKind.SYSTEM:
            raise NotFound("workspace")
        access.require(action)
        policy.require_recent(actor, action, access.now)
        yield Change(actor, access.now, locked.workspace, access.role, lines, {Head: locked.head})


@contextlib.asynccontextmanager
async def changing_installation(actor: Actor) -> AsyncIterator[Change]:
    """Like `changing` for data outside workspaces: users, sessions, gateway tokens. The caller has checked permission."""
    async with _committed() as lines:
        await store.lock_installation()
        yield Change(actor, await database.now(), None, None, lines)


@contextlib.asynccontextmanager
async def joining(actor: Actor, workspace_id: str) -> AsyncIterator[Change]:
    """The change in which a user joins a workspace. The caller has checked the invitation.

    Raises NotAllowed while the workspace is suspended.
    """
    async with _committed() as lines:
        locked = _found(await store.lock(None, workspace_id))
        if locked.workspace.deleted_at is not None:
            raise NotFound("workspace")
        if locked.workspace.suspended_at is not None:
            raise NotAllowed("This workspace is suspended; nobody can join it now.")
        yield Change(actor, locked.now, locked.workspace, None, lines, {Head: locked.head})


@contextlib.asynccontextmanager
async def _committed() -> AsyncIterator[list[dict[str, Any]]]:
    """A transaction whose lines for the revocation journal are written after its commit and before the response."""
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
        return _without_membership(actor, *_found(await store.find_now(slug, workspace_id)))
    member = await store.find_with_role(slug, workspace_id, actor.user_id)
    if member is None or actor.workspace_id not in (None, member[0].id):
        raise NotFound("workspace")
    return Access(actor, *member)


def _without_membership(actor: Actor, workspace: Workspace, now: int) -> Access:
    """Operator, operator keys and system have access to all workspaces; a management key made by the operator acts as an owner
    in its own."""
    if actor.is_trusted:
        return Access(actor, workspace, None, now)
    if workspace.deleted_at is not None:
        raise NotFound("workspace")
    if actor.kind is ActorKind.OPERATOR_KEY:
        return Access(actor, workspace, None, now)
    if workspace.id != actor.workspace_id:
        raise NotFound("workspace")
    return Access(actor, workspace, Role.OWNER, now)


async def _only(actor: Actor) -> Access:
    if actor.workspace_id is not None:
        return await _find(actor, None, actor.workspace_id)
    mine = await store.of_user(actor.user_id) if actor.user_id else []
    if len(mine) != 1:
        raise ValidationFailed(FieldProblem("workspace", "REQUIRED", "`workspace` is required unless you belong to exactly one."))
    return Access(actor, *mine[0])


def _found(found: T | None) -> T:
    if found is None:
        raise NotFound("workspace")
    return found
