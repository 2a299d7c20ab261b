"""The facts about a living key that rules about all keys of a workspace need, without what only its own page shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LivingKey:
    """A key that is neither revoked nor expired. Instants in microseconds.

    `lifetime_started_at`: when the first key of its lineage was created.
    """

    id: str
    name: str
    prefix: str
    environment: str
    permissions: tuple[str, ...]
    created_at: int
    expires_at: int | None
    lifetime_started_at: int


@dataclass(frozen=True, slots=True)
class LeakedKey:
    """A key that was revoked, at `at`, because it was committed to a repository."""

    id: str
    name: str
    prefix: str
    at: int
