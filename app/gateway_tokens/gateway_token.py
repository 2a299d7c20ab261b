"""A gateway token as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

GATEWAY_TOKEN_ID: Final = "gtk"


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
class CreatedGatewayToken:
    """A new token and its secret, which is shown once."""

    token: GatewayToken
    secret: str = field(repr=False)
