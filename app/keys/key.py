"""An API key as frozen data; its status is a pure function of the row and the time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final, get_origin, get_type_hints

from app.access.actor import ActorRef
from app.clock import DAY, rfc3339
from app.keys import labels
from app.names import plain_name, plain_text
from app.versions import version_of

API_KEY_ID: Final = "key"
# This many fields of KeySettings were in the first release.
OF_FIRST_RELEASE: Final = 5

DUE_SOON_DAYS: Final = 14


class Status(StrEnum):
    """EXPIRED and REVOKED are final."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class Reason(StrEnum):
    """Why a key was revoked."""

    COMMITTED_TO_REPOSITORY = "COMMITTED_TO_REPOSITORY"
    EXPOSED_IN_LOGS = "EXPOSED_IN_LOGS"
    MEMBER_LEFT = "MEMBER_LEFT"
    SHARED_INSECURELY = "SHARED_INSECURELY"
    SUSPICIOUS_ACTIVITY = "SUSPICIOUS_ACTIVITY"
    ROTATED = "ROTATED"
    NO_LONGER_NEEDED = "NO_LONGER_NEEDED"
    OTHER = "OTHER"


class RotationDue(StrEnum):
    """How far a key is in its environment's rotation schedule."""

    NOT_DUE = "NOT_DUE"
    DUE_SOON = "DUE_SOON"
    OVERDUE = "OVERDUE"


@dataclass(frozen=True, slots=True)
class Revocation:
    """`at` in microseconds."""

    at: int
    by: ActorRef
    reason: Reason
    note: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The user who is responsible for a key. `name` and `is_member` are as they are now; an input has only the `id`."""

    id: str
    name: str = field(default="", compare=False)
    is_member: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a person chooses for a key: as input, and as it is stored once `validation` has normalized it.

    Rows, edits, copies, audit details, fingerprints and versions contain every field. An instant, in microseconds, has a name
    that ends with `_at`. `allowed_ips` are networks; empty: any address. `labels` are words, `team=payments`. `owner`: None if
    nobody is responsible; in the input for a new key, the one who creates it.
    """

    name: str
    environment: str
    permissions: tuple[str, ...]
    expires_at: int | None = None
    allowed_ips: tuple[str, ...] = ()
    description: str | None = None
    labels: tuple[str, ...] = ()
    owner: Owner | None = None

    def lasting(self, days: int | None, now: int) -> KeySettings:
        """The same settings, expiring so many days from now; unchanged for None."""
        return self if days is None else replace(self, expires_at=now + days * DAY)

    def values(self) -> dict[str, Any]:
        """The settings by name."""
        return {name: getattr(self, name) for name in SETTINGS}

    def detail(self) -> dict[str, Any]:
        """The settings as JSON data for the audit log."""
        return {name: _as_json(name, value) for name, value in self.values().items()}

    def changes(self, new: KeySettings) -> dict[str, Any]:
        """The settings that differ, each before and after, as JSON data for the audit log."""
        before, after = self.detail(), new.detail()
        return {name: {"before": before[name], "after": after[name]} for name in SETTINGS if before[name] != after[name]}

    def fingerprint(self) -> list[Any]:
        """What must be equal for two requests to count as the same, as JSON data."""
        first = [plain_name(self.name), self.environment, sorted(set(self.permissions)), self.expires_at, self.allowed_ips]
        described = plain_text(self.description or "") or None
        return [*first, *replace(self, description=described, labels=labels.canonical(self.labels)).added()]

    def added(self) -> list[tuple[str, Any]]:
        """The settings that the first release did not have, where they are set: fingerprints and versions from before one of them
        existed stay valid."""
        later = fields(KeySettings)[OF_FIRST_RELEASE:]
        there = [(item.name, value) for item in later if (value := getattr(self, item.name)) != item.default]
        return [(name, value.id if isinstance(value, Owner) else value) for name, value in there]


SETTINGS: Final = tuple(item.name for item in fields(KeySettings))
# The settings that are lists of words.
LISTS: Final = frozenset(name for name, kind in get_type_hints(KeySettings).items() if get_origin(kind) is tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(KeySettings):
    """A key: its settings, and what happened to it. All instants in microseconds. `prefix` has no ellipsis.

    `line_started_at`: when the first key of the lineage was created, of which rotations led to this one; None: this is the first.
    """

    id: str
    workspace_id: str
    prefix: str
    created_at: int
    created_by: ActorRef
    suspended_at: int | None
    revocation: Revocation | None
    last_used_at: int | None
    last_used_ip: str | None
    line_started_at: int | None = None

    @property
    def lifetime_started_at(self) -> int:
        """The start of the lifetime that its environment limits: when the first key of its lineage was created."""
        return self.created_at if self.line_started_at is None else self.line_started_at

    @property
    def settings(self) -> KeySettings:
        """The settings alone, to copy them to another key."""
        return KeySettings(**self.values())

    @property
    def version(self) -> str:
        """The version of the settings. The environment never changes."""
        return version_of(self.name, self.permissions, self.allowed_ips, self.expires_at, *self.added())

    @property
    def suspension_version(self) -> str:
        """The version of this suspension; a later suspension has another one."""
        return version_of(self.suspended_at)

    def status(self, now: int) -> Status:
        if self.revocation is not None:
            return Status.REVOKED
        if self.expires_at is not None and now >= self.expires_at:
            return Status.EXPIRED
        return Status.SUSPENDED if self.suspended_at is not None else Status.ACTIVE

    def is_over(self, now: int) -> bool:
        """Whether it can never be used again."""
        return self.status(now) in (Status.REVOKED, Status.EXPIRED)

    def over_since(self, now: int) -> int | None:
        """When it expired or was revoked, whichever came first; None while it is alive."""
        revoked = self.revocation.at if self.revocation is not None else None
        expired = self.expires_at if self.expires_at is not None and now >= self.expires_at else None
        return min((instant for instant in (revoked, expired) if instant is not None), default=None)

    def rotate_by(self, rotate_every_days: int | None) -> int | None:
        """When its environment requires rotation; None if it does not."""
        return None if rotate_every_days is None else self.created_at + rotate_every_days * DAY

    def rotation_due(self, rotate_every_days: int | None, now: int) -> RotationDue:
        """How urgent rotation is; a key that has ended needs none."""
        rotate_by = self.rotate_by(rotate_every_days)
        if rotate_by is None or self.is_over(now) or now < rotate_by - DUE_SOON_DAYS * DAY:
            return RotationDue.NOT_DUE
        return RotationDue.DUE_SOON if now < rotate_by else RotationDue.OVERDUE


def _as_json(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Owner):
        return f"{value.name} ({value.id})"
    return rfc3339(value) if name.endswith("_at") and value is not None else value
