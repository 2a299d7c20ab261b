"""An invitation as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.access.actor import Role
from app.accounts.link import Link

MOST_OPEN: Final = 100


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody was asked to join and has not answered yet. Instants in microseconds."""

    id: str
    workspace_id: str
    email: str
    role: Role
    invited_at: int
    expires_at: int

    @classmethod
    def of(cls, link: Link) -> Invitation:
        """RuntimeError for a link that is something else."""
        if link.workspace is None or link.email is None or link.role is None:
            raise RuntimeError(f"{link.id} is no invitation")
        return cls(link.id, link.workspace, link.email, link.role, link.created_at, link.expires_at)


@dataclass(frozen=True, slots=True)
class InvitationView:
    """What the person who holds the link sees. `has_account`: there is one of this address, so they sign in to accept."""

    workspace_name: str
    email: str
    role: Role
    has_account: bool
