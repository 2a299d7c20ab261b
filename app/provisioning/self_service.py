"""Further workspaces, which users create for themselves: as many as the operator lets each of them own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app import runtime
from app.access import policy
from app.access.actor import Actor, Role
from app.access.policy import OPERATOR, OperatorAction, UserAction
from app.errors import Conflict, NotAllowed, NotFound, Problem, ValidationFailed
from app.keys.idempotency import IdempotencyKey
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.tenancy.workspace import Workspace
from app.throttling import service as throttling
from app.workspaces import creation
from app.workspaces.validation import workspace_name_fault


@dataclass(frozen=True, slots=True)
class Allowance:
    """A user who owns fewer workspaces than this may create another one. 0: only the operator creates workspaces."""

    workspaces: int

    def require_room(self, owned: int) -> None:
        """Raises NotAllowed or Conflict unless a user who owns so many workspaces may create another one."""
        if not self.workspaces:
            raise NotAllowed(f"Only the operator of Keydesk can {OPERATOR[OperatorAction.CREATE_WORKSPACE]}.")
        if owned >= self.workspaces:
            most = "one workspace" if self.workspaces == 1 else f"{self.workspaces} workspaces"
            raise Conflict(f"A user can own {most} here, and you own {owned}. Delete one, or leave one to another owner.")


def current() -> Allowance:
    return runtime.current(Allowance)


def is_open() -> bool:
    """Whether users create workspaces here at all."""
    return current().workspaces > 0


def owned(accesses: Iterable[Access]) -> list[Workspace]:
    """The workspaces that the actor owns, suspended ones included."""
    return [access.workspace for access in accesses if access.role is Role.OWNER]


def require_room(accesses: Iterable[Access]) -> None:
    """Raises NotAllowed or Conflict unless a user with these memberships may create another workspace.

    The owner of a suspended workspace may not: a new one would evade the suspension.
    """
    mine = owned(accesses)
    current().require_room(len(mine))
    if any(workspace.suspended_at is not None for workspace in mine):
        raise NotAllowed("A workspace of yours is suspended. Please contact support.")


def refusal(accesses: Iterable[Access]) -> Problem | None:
    """What `require_room` would raise."""
    try:
        require_room(accesses)
    except (Conflict, NotAllowed) as problem:
        return problem
    return None


async def create(actor: Actor, name: str, *, idempotency_key: str | None = None) -> Workspace:
    """A new workspace on the initial plan, owned by the user. Repeated with the same idempotency key, it is the same one.

    Its slug is made from the name: with chosen ones, anyone could find out which are in use. The lock of the installation keeps
    the number exact, however many are created at once. Raises NotAllowed, ValidationFailed, Conflict at the limit or if the
    idempotency key was used with other input, TooManyAttempts after many in a day, or NotFound if the same one was deleted since.
    """
    policy.require_user(actor, UserAction.CREATE_OWN_WORKSPACE)
    if fault := workspace_name_fault(name):
        raise ValidationFailed(fault)
    await throttling.take(throttling.workspace_buckets(actor.id))
    async with tenancy.changing_installation(actor) as change:
        repeat = IdempotencyKey.of(change, "createWorkspace", idempotency_key, [name])
        if repeat and (made := await repeat.find_result(change)):
            return (await tenancy.seen(actor, None, workspace_id=made)).workspace
        require_room(await tenancy.mine(actor))
        owner = await tenancy.myself(actor)
        if owner is None:
            raise NotFound("user")
        workspace = await creation.create_in(change, owner, name)
        if repeat:
            await repeat.remember(change, workspace.id)
        return workspace
