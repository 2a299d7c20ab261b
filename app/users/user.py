"""A user as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

USER_ID: Final = "usr"


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in. `email` is as they wrote it; they are found by its normalised form. `created_at` in microseconds."""

    id: str
    email: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and the hash of their password."""

    user: User
    password_hash: str = field(repr=False)
