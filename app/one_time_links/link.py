"""A one-time link as frozen data. Only the URL contains its token; the database holds its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.access.actor import Role
from app.clock import DAY, HOUR, MINUTE


class Purpose(StrEnum):
    """The purpose of a link; it is valid for no other."""

    SET_UP = "set-up"
    INVITATION = "invitation"
    PASSWORD_RESET = "password-reset"
    EMAIL_CHANGE = "email-change"


ID_PREFIX: Final = "lnk"
LIFETIMES: Final = {
    Purpose.SET_UP: 15 * MINUTE,
    Purpose.INVITATION: 7 * DAY,
    Purpose.PASSWORD_RESET: HOUR,
    Purpose.EMAIL_CHANGE: HOUR,
}
PATHS: Final = {
    Purpose.SET_UP: "/set-up/",
    Purpose.INVITATION: "/invitations/",
    Purpose.PASSWORD_RESET: "/password-reset/",
    Purpose.EMAIL_CHANGE: "/email-change/",
}


@dataclass(frozen=True, slots=True)
class Link:
    """`user_id`: the user whose password or address it changes; `email`: who is invited, or the new address; workspace and role:
    of an invitation. Instants in microseconds."""

    id: str
    purpose: Purpose
    created_at: int
    user_id: str | None = None
    workspace_id: str | None = None
    email: str | None = None
    role: Role | None = None
    created_by: str | None = None

    @property
    def expires_at(self) -> int:
        return self.created_at + LIFETIMES[self.purpose]
