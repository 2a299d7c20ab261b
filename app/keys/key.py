"""An API key as frozen data; its status is a pure function of the row and the time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.access.actor import ActorRef
from app.clock import DAY
from app.versions import version_of

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
    """Where a key stands in its environment's schedule."""

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
class ApiKey:
    """All instants in microseconds. `prefix` has no ellipsis; `allowed_ips` are networks in canonical text, none: anywhere.

    `line_started_at` is when the first key was made of the line of rotations that led to this one; None: this is the first.
    """

    id: str
    workspace_id: str
    name: str
    prefix: str
    environment: str
    permissions: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    created_at: int
    created_by: ActorRef
    expires_at: int | None
    suspended_at: int | None
    revocation: Revocation | None
    last_used_at: int | None
    last_used_ip: str | None
    line_started_at: int | None = None

    @property
    def born(self) -> int:
        """When the life began that its environment limits: with the first key of the line, however often it was rotated."""
        return self.created_at if self.line_started_at is None else self.line_started_at

    @property
    def version(self) -> str:
        """Of what can be edited."""
        return version_of(self.name, self.permissions, self.allowed_ips, self.expires_at)

    @property
    def suspension_version(self) -> str:
        """Of this suspension, which a later one is not."""
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
        """When it came to its end, whichever came first; None while it lives."""
        revoked = self.revocation.at if self.revocation is not None else None
        expired = self.expires_at if self.expires_at is not None and now >= self.expires_at else None
        return min((instant for instant in (revoked, expired) if instant is not None), default=None)

    def rotate_by(self, rotate_every_days: int | None) -> int | None:
        """When its environment asks for a successor; None where it asks for none."""
        return None if rotate_every_days is None else self.created_at + rotate_every_days * DAY

    def rotation_due(self, rotate_every_days: int | None, now: int) -> RotationDue:
        """How urgent the successor is; a key that is over needs none."""
        rotate_by = self.rotate_by(rotate_every_days)
        if rotate_by is None or self.is_over(now) or now < rotate_by - DUE_SOON_DAYS * DAY:
            return RotationDue.NOT_DUE
        return RotationDue.DUE_SOON if now < rotate_by else RotationDue.OVERDUE


def normalised_network(text: str) -> str:
    """`203.0.113.9` → `203.0.113.9/32`; an IPv4 address written as IPv6 counts as IPv4. Raises ValueError for anything else."""
    if "%" in text:
        raise ValueError("an address with a zone means nothing elsewhere")
    network = ipaddress.ip_network(text.strip())
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        network = ipaddress.IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return str(network)
