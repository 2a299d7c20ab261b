"""Who does something. Every use case takes an actor first; what the actor may do is decided by `policy` and by the
membership the database holds now, never by anything carried in a cookie or a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a member may do; `owner` includes `editor`, `editor` includes `viewer`."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"

    def includes(self, other: Role) -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Scope(StrEnum):
    """What a management key may be asked to do, never more than its maker may."""

    KEYS_READ = "keys.read"
    KEYS_WRITE = "keys.write"
    USAGE_READ = "usage.read"
    AUDIT_READ = "audit.read"
    WORKSPACE_READ = "workspace.read"
    WORKSPACE_WRITE = "workspace.write"

    @property
    def implied(self) -> frozenset[Scope]:
        """Who may write may also read what was written."""
        reading = {Scope.KEYS_WRITE: Scope.KEYS_READ, Scope.WORKSPACE_WRITE: Scope.WORKSPACE_READ}.get(self)
        return frozenset({self, reading} if reading else {self})


class ActorKind(StrEnum):
    USER = "USER"
    MANAGEMENT_KEY = "MANAGEMENT_KEY"
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
    """The actor as history remembers it: kind, id and the name at that time."""

    kind: ActorKind
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """`user_id` is the person whose membership counts: the user, or the maker of a management key.

    A management key acts in one workspace only and within its scopes; operator and system stand above workspaces.
    `authenticated_at`: when the person last gave their password, in microseconds; None where nobody is asked for one.
    """

    kind: ActorKind
    id: str
    name: str
    user_id: str | None = None
    workspace_id: str | None = None
    scopes: frozenset[Scope] = frozenset()
    request: Request = field(default_factory=Request)
    authenticated_at: int | None = None

    @classmethod
    def user(cls, user_id: str, name: str, request: Request | None = None, *, authenticated_at: int | None = None) -> Actor:
        asked = request or Request()
        return cls(ActorKind.USER, user_id, name, user_id=user_id, request=asked, authenticated_at=authenticated_at)

    @classmethod
    def operator(cls) -> Actor:
        """Whoever can run the command line on the machine."""
        return cls(ActorKind.OPERATOR, "operator", "Operator")

    @classmethod
    def system(cls) -> Actor:
        """Keydesk itself, in its jobs."""
        return cls(ActorKind.SYSTEM, "system", "Keydesk")

    @property
    def is_member(self) -> bool:
        """Whether this actor's rights come from a membership."""
        return self.kind in (ActorKind.USER, ActorKind.MANAGEMENT_KEY)

    @property
    def ref(self) -> ActorRef:
        return ActorRef(self.kind, self.id, self.name)
