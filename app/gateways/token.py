"""A gateway token as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """`workspace_id` and `environment` bind it; None: all of them. `prefix` has no ellipsis."""

    id: str
    name: str
    prefix: str
    workspace_id: str | None
    environment: str | None
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and its secret, which is shown once."""

    token: GatewayToken
    secret: str = field(repr=False)
