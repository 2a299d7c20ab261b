"""Idempotency keys: their scope, and a digest of the input they came with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from app import clock
from app.errors import Conflict, FieldProblem, ValidationFailed
from app.keys import store
from app.tenancy.service import Change

IDEMPOTENCY_LASTS: Final = 24 * clock.HOUR
LONGEST_KEY: Final = 200


class Repeated(Conflict):
    """This was done when the same was asked before; what it made is shown once, and was in that answer."""

    def __init__(self) -> None:
        super().__init__("This was done when it was asked for the first time, and its answer is not shown again.")


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
        return cls.by(change, operation, key, asked)

    @classmethod
    def by(cls, change: Change, operation: str, key: str, asked: list[Any]) -> Repeat:
        """The same for a key that we chose."""
        actor = change.actor
        return cls(_digest([change.place.id, actor.kind, actor.id, operation, key]), _digest(asked))

    def require_same(self, asked_before: bytes) -> None:
        """Raises Conflict unless the digest of what was asked before is that of what is asked now."""
        if asked_before != self.input:
            raise Conflict("This idempotency key was used before with another input.")

    async def find_result(self, change: Change) -> str | None:
        """The id of what the same request made before, as long as that is remembered. Raises Conflict for another input."""
        before = await store.find_repeat(self.scope, change.now - IDEMPOTENCY_LASTS)
        if before is None:
            return None
        self.require_same(before[0])
        return before[1]

    async def remember(self, change: Change, result: str) -> None:
        """From now on `find_result` answers this."""
        await store.remember(self.scope, self.input, result, change.now)


async def only_once(change: Change, operation: str, key: str | None, asked: list[Any]) -> None:
    """For what is shown once and then belongs to nobody who asks again. Raises Repeated, or Conflict for another input."""
    repeat = Repeat.of(change, operation, key, asked)
    if repeat and await repeat.find_result(change):
        raise Repeated
    if repeat:
        await repeat.remember(change, change.place.id)


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json.dumps(value).encode()).digest()
