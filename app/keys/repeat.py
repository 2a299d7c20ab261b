"""What makes a repeated request harmless: whose idempotency key it came with, and what it asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from app import clock
from app.errors import Conflict, FieldProblem, ValidationFailed
from app.workspaces.service import Change

IDEMPOTENCY_LASTS: Final = 24 * clock.HOUR
LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Repeat:
    """One idempotency key: `scope` digests who uses it where for what, `input` what was asked."""

    scope: bytes
    input: bytes

    @classmethod
    def of(cls, change: Change, operation: str, key: str | None, asked: list[Any]) -> Repeat | None:
        """None without an idempotency key; ValidationFailed for one that is empty or too long. `asked` is JSON data."""
        if key is None:
            return None
        if not 0 < len(key) <= LONGEST_KEY:
            message = f"An idempotency key has 1 to {LONGEST_KEY} characters."
            raise ValidationFailed(FieldProblem("idempotencyKey", "INVALID", message))
        actor = change.actor
        return cls(_digest([change.place.id, actor.kind, actor.id, operation, key]), _digest(asked))

    def require_same(self, asked_before: bytes) -> None:
        """Raises Conflict unless the digest of what was asked before is that of what is asked now."""
        if asked_before != self.input:
            raise Conflict("This idempotency key was used before with another input.")


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json.dumps(value).encode()).digest()
