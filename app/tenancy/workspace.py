"""A workspace and its members, as frozen data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from app.access.actor import Role
from app.users.user import User
from app.versions import version_of

WORKSPACE_ID: Final = "wsp"
MEMBER_ID: Final = "mem"

DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
MAXIMUM_SLUG: Final = 40


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """`days` in the week's order; `opens` and `closes` as `08:00`, in the workspace's time zone."""

    days: tuple[str, ...]
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant. Instants in microseconds; `plan` is a name of the catalogue."""

    id: str
    slug: str
    name: str
    plan: str
    timezone: str
    business_hours: BusinessHours | None
    created_at: int
    suspended_at: int | None
    # How many enabled webhooks listen; without any, nothing is written to the outbox.
    webhooks: int = 0
    # Whether the requests of its keys are logged.
    logs_requests: bool = True
    # Its keys are revoked, its members are gone, and its id has taken the place of its slug, which is free again.
    deleted_at: int | None = None

    @property
    def version(self) -> str:
        """The version of its settings."""
        return version_of(self.name, self.timezone, self.business_hours, self.logs_requests)


@dataclass(frozen=True, slots=True)
class WorkspaceFilter:
    """Which workspaces to list; None: any. Deleted ones are listed alone. `search` is looked for in name, slug and id."""

    search: str | None = None
    plan: str | None = None
    suspended: bool | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A user's membership in a workspace."""

    id: str
    workspace_id: str
    user: User
    role: Role
    created_at: int


def slug_for(name: str) -> str:
    """`Acme, Inc.` → `acme-inc`: lower-case ASCII words with hyphens, `workspace` if nothing is left of the name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAXIMUM_SLUG].strip("-") or "workspace"
