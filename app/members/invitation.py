"""An invitation as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.access.actor import Role
from app.one_time_links.link import Link

INVITATION_ID: Final = "inv"

MOST_OPEN: Final = 100


@dataclass(frozen=True, slots=True)
class Invitation:
    """A pending invitation. Instants in microseconds."""

    id: str
    workspace_id: str
    email: str
    role: Role
    invited_at: int
    expires_at: int

    @classmethod
    def of(cls, link: Link) -> Invitation:
        """Raises RuntimeError for a link with another purpose."""
        if link.workspace_id is None or link.email is None or link.role is None:
            raise RuntimeError(f"{link.id} is no invitation")
        return cls(link.id, link.workspace_id, link.email, link.role, link.created_at, link.expires_at)


@dataclass(frozen=True, slots=True)
class InvitationView:
    """What the link's page shows. `user_exists`: there is a user with this address, who signs in to accept."""

    workspace_name: str
    email: str
    role: Role
    user_exists: bool
