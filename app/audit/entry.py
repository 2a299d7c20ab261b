"""An audit entry and the chain that binds it: each entry's MAC covers the one before, under a key only Keydesk can unwrap."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

from app.access.actor import ActorRef, Request


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened: who did what to which thing, from where. `detail` is JSON data and never holds a secret."""

    id: str
    chain: str
    position: int
    at: int
    actor: ActorRef
    action: str
    target: str
    detail: dict[str, Any]
    request: Request
    mac: bytes = b""

    def expected_mac(self, previous: bytes, key: bytes) -> bytes:
        """HMAC-SHA-256 over the previous entry's MAC and this entry in canonical JSON (sorted keys, UTF-8)."""
        fields = [
            self.id,
            self.chain,
            self.position,
            self.at,
            [self.actor.kind, self.actor.id, self.actor.name],
            self.action,
            self.target,
            self.detail,
            [self.request.address, self.request.user_agent, self.request.request_id],
        ]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hmac.digest(key, previous + text.encode("utf-8", "surrogatepass"), "sha256")


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What entries must have; None: anything. `actor` is an id; `since` is included and `until` is not, in microseconds."""

    target: str | None = None
    action: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None


def new_key() -> bytes:
    """A random key for one chain; stored wrapped by the pepper."""
    return secrets.token_bytes(32)
