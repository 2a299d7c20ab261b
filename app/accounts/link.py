"""A one-time link as frozen data. Its token is 256 random bits, in the link alone; the database has its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.access.actor import Role
from app.clock import DAY, HOUR, MINUTE


class Purpose(StrEnum):
    """What a link is for; it opens nothing else."""

    SET_UP = "set-up"
    INVITATION = "invitation"
    PASSWORD_RESET = "password-reset"


KIND: Final = "lnk"
LIFETIMES: Final = {Purpose.SET_UP: 15 * MINUTE, Purpose.INVITATION: 7 * DAY, Purpose.PASSWORD_RESET: HOUR}
PATHS: Final = {Purpose.SET_UP: "/set-up/", Purpose.INVITATION: "/invitations/", Purpose.PASSWORD_RESET: "/password-reset/"}


@dataclass(frozen=True, slots=True)
class Link:
    """`account` is whose password it resets; workspace, email and role are those of an invitation. Instants in microseconds."""

    id: str
    purpose: Purpose
    created_at: int
    account: str | None = None
    workspace: str | None = None
    email: str | None = None
    role: Role | None = None
    created_by: str | None = None

    @property
    def expires_at(self) -> int:
        return self.created_at + LIFETIMES[self.purpose]
