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


class RepeatedRequest(Conflict):
    """The same request was handled before; its result is shown only once, in that response. `result`: the id of what it made."""

    def __init__(self, result: str) -> None:
        super().__init__("This was already done by the first request, and its answer is not shown again.")
        self.result = result


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """One idempotency key. `scope`: a digest of actor, workspace or installation, and operation; `input`: a digest of the input."""

    scope: bytes
    input: bytes

    @classmethod
    def of(cls, change: Change, operation: str, key: str | None, asked: list[Any]) -> IdempotencyKey | None:
        """None without an idempotency key; ValidationFailed for one that is empty or too long. `asked`: the input as JSON data."""
        if key is None:
            return None
        require_valid(key)
        return cls.by(change, operation, key, asked)

    @classmethod
    def by(cls, change: Change, operation: str, key: str, asked: list[Any]) -> IdempotencyKey:
        """Like `of`, for a key that Keydesk chose."""
        actor = change.actor
        return cls(_digest([change.chain, actor.kind, actor.id, operation, key]), _digest(asked))

    def require_same(self, asked_before: bytes) -> None:
        """Raises Conflict unless the earlier input has the same digest as this one."""
        if asked_before != self.input:
            raise Conflict("This idempotency key was used before with another input.")

    async def find_result(self, change: Change) -> str | None:
        """The id of what the same request created before, as long as that is stored. Raises Conflict for another input."""
        before = await store.find_repeat(self.scope, change.now - IDEMPOTENCY_LASTS)
        if before is None:
            return None
        self.require_same(before[0])
        return before[1]

    async def remember(self, change: Change, result: str) -> None:
        """Stores the id that `find_result` returns from now on."""
        await store.remember(self.scope, self.input, result, change.now)


def require_valid(key: str | None) -> None:
    """Raises ValidationFailed for an idempotency key that is empty or too long."""
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        message = f"An idempotency key has 1 to {LONGEST_KEY} characters."
        raise ValidationFailed(FieldProblem("idempotencyKey", "INVALID", message))


async def only_once(change: Change, operation: str, key: str | None, asked: list[Any]) -> None:
    """For results shown only once. Raises RepeatedRequest if the request was handled before, or Conflict for another input."""
    repeat = IdempotencyKey.of(change, operation, key, asked)
    if repeat and (before := await repeat.find_result(change)):
        raise RepeatedRequest(before)
    if repeat:
        await repeat.remember(change, change.workspace.id)


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json.dumps(value).encode()).digest()
