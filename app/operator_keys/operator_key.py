"""An operator key as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.access.actor import Actor, ActorKind, OperatorScope, Request
from app.keys import networks
from app.management_keys.management_key import Status, status_at

OPERATOR_KEY_ID: Final = "opk"


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """Instants in microseconds. `allowed_ips` are networks; empty: any address."""

    id: str
    name: str
    prefix: str
    scopes: tuple[OperatorScope, ...]
    allowed_ips: tuple[str, ...]
    created_at: int
    expires_at: int
    revoked_at: int | None
    last_used_at: int | None

    def status(self, now: int) -> Status:
        return status_at(now, self.expires_at, self.revoked_at)

    def admits(self, address: str) -> bool:
        """Whether the key may be used from this address, which is empty if unknown."""
        return not self.allowed_ips or networks.is_allowed(address, self.allowed_ips)

    def actor(self, request: Request) -> Actor:
        """The actor of this key, limited to its scopes."""
        return Actor(ActorKind.OPERATOR_KEY, self.id, self.name, scopes=frozenset(self.scopes), request=request)
