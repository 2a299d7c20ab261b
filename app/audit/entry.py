"""An audit entry and its hash chain: each entry's MAC covers the previous one, under a key that only Keydesk can unwrap."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from app.access.actor import ActorRef, Request

AUDIT_ENTRY_ID: Final = "aud"
LONGEST_SEARCH: Final = 200


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
class Linked:
    """An entry with the MAC of the one before it, so that it can be checked without that one."""

    entry: Entry
    previous: bytes


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Conditions on entries; None: no condition. `actor` is an id; `since` is inclusive, `until` exclusive, in microseconds.

    `search`: part of a name, an id, an address or any other text of the entry; ASCII letters match in either case.
    """

    target: str | None = None
    action: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None
    search: str = ""


def new_key() -> bytes:
    """A random key for one chain; it is stored wrapped by the pepper."""
    return secrets.token_bytes(32)
