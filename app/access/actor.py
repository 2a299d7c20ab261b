"""Actors. Every use case takes an actor as its first argument; `policy` and the membership in the database at that
moment decide what the actor may do, never anything in a cookie or a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias


class Role(StrEnum):
    """What a member may do; `owner` includes `editor`, `editor` includes `viewer`."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"

    def includes(self, other: Role) -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Scope(StrEnum):
    """What a management key is allowed to do; never more than the user who created it."""

    KEYS_READ = "keys.read"
    KEYS_WRITE = "keys.write"
    USAGE_READ = "usage.read"
    AUDIT_READ = "audit.read"
    WORKSPACE_READ = "workspace.read"
    WORKSPACE_WRITE = "workspace.write"

    @property
    def implied(self) -> frozenset[Scope]:
        """Permission to write includes permission to read the same data."""
        reading = {Scope.KEYS_WRITE: Scope.KEYS_READ, Scope.WORKSPACE_WRITE: Scope.WORKSPACE_READ}.get(self)
        return frozenset({self, reading} if reading else {self})


class OperatorScope(StrEnum):
    """What an operator key is allowed to do, in the whole installation."""

    WORKSPACES_READ = "workspaces.read"
    WORKSPACES_WRITE = "workspaces.write"
    WORKSPACES_TRANSFER = "workspaces.transfer"
    WORKSPACES_DELETE = "workspaces.delete"

    @property
    def implied(self) -> frozenset[OperatorScope]:
        """Permission to change, transfer or delete workspaces includes permission to read them."""
        return frozenset({self, OperatorScope.WORKSPACES_READ})


class ActorKind(StrEnum):
    USER = "USER"
    MANAGEMENT_KEY = "MANAGEMENT_KEY"
    OPERATOR_KEY = "OPERATOR_KEY"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Request:
    """Where an action came from, for the audit entry."""

    address: str = ""
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ActorRef:
    """The actor as the audit log stores it: kind, id and the name at that time."""

    kind: ActorKind
    id: str
    name: str


if TYPE_CHECKING:
    AnyScope: TypeAlias = Scope | OperatorScope
else:
    # Litestar reads the types of a handler's arguments with msgspec, which refuses a union of two enumerations.
    AnyScope = Any


@dataclass(frozen=True, slots=True)
class Actor:
    """`user_id`: the user whose membership decides: the user themselves, or the one who created the management key; `user_name` is
    their name.

    A management key acts in one workspace only and within its scopes; operator and system are not bound to a workspace. An
    operator key is not bound to one either, but may do only what its scopes allow.
    `authenticated_at`: when the user last gave their password, in microseconds; None for an actor without one.
    """

    kind: ActorKind
    id: str
    name: str
    user_id: str | None = None
    user_name: str = ""
    workspace_id: str | None = None
    scopes: frozenset[AnyScope] = frozenset()
    request: Request = field(default_factory=Request)
    authenticated_at: int | None = None

    @classmethod
    def user(cls, user_id: str, name: str, request: Request | None = None, *, authenticated_at: int | None = None) -> Actor:
        origin = request or Request()
        return cls(
            ActorKind.USER, user_id, name, user_id=user_id, user_name=name, request=origin, authenticated_at=authenticated_at
        )

    @classmethod
    def operator(cls) -> Actor:
        """Anyone who can run commands on the machine."""
        return cls(ActorKind.OPERATOR, "operator", "Operator")

    @classmethod
    def system(cls) -> Actor:
        """Keydesk itself, in background jobs."""
        return cls(ActorKind.SYSTEM, "system", "Keydesk")

    @property
    def is_member(self) -> bool:
        """Whether this actor's rights come from a membership."""
        return self.kind in (ActorKind.USER, ActorKind.MANAGEMENT_KEY)

    @property
    def is_trusted(self) -> bool:
        """Whether this actor may do everything: the operator on the machine, and Keydesk itself."""
        return self.kind in (ActorKind.OPERATOR, ActorKind.SYSTEM)

    @property
    def ref(self) -> ActorRef:
        return ActorRef(self.kind, self.id, self.name)
