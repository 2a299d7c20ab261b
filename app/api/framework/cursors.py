"""Opaque cursors: a position in one list of one workspace, signed, so that it cannot be forged or used for another list."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError

from app.api.execution.cost import DEFAULT_PAGE, MAXIMUM_PAGE
from app.paging import Position, Window
from app.peppers import service as peppers

_SEAL_LENGTH: Final = 12
_FOREIGN: Final = "This cursor does not belong to this list. Use one that the same list, in the same order, has given."


@dataclass(frozen=True, slots=True)
class ConnectionArgs:
    """A connection's four arguments as the client sent them."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None

    def of(self, name: str) -> Window:
        """The window of the list of this name: its workspace, which list it is, and how it is ordered.

        Raises GraphQLError for a size outside 1 to 100 and for cursors of other lists.
        """
        if self.first is not None and self.last is not None:
            raise bad_user_input("Give `first` or `last`, not both.")
        for argument, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 1 <= size <= MAXIMUM_PAGE:
                raise bad_user_input(f"`{argument}` is a number from 1 to {MAXIMUM_PAGE}.")
        return Window(
            limit=self.first or self.last or DEFAULT_PAGE,
            after=decode_cursor(name, self.after) if self.after is not None else None,
            before=decode_cursor(name, self.before) if self.before is not None else None,
            backwards=self.last is not None,
        )


def encode_cursor(name: str, position: Sequence[Any]) -> str:
    """The cursor of a position in the list of this name."""
    payload = json.dumps(list(position), separators=(",", ":")).encode()
    return _encode(_seals(name, payload)[0] + payload)


def decode_cursor(name: str, cursor: str) -> Position:
    """The position that a cursor of this list encodes. Raises GraphQLError for any other text."""
    raw = _decode(cursor)
    seal, payload = raw[:_SEAL_LENGTH], raw[_SEAL_LENGTH:]
    if not any(hmac.compare_digest(seal, good) for good in _seals(name, payload)):
        raise bad_user_input(_FOREIGN)
    return tuple(json.loads(payload))


def bad_user_input(message: str) -> GraphQLError:
    """The error for an invalid argument."""
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(cursor: str) -> bytes:
    """Accepts only the spelling that `_encode` produces."""
    with contextlib.suppress(ValueError):
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        if _encode(raw) == cursor:
            return raw
    raise bad_user_input(_FOREIGN)


def _seals(name: str, payload: bytes) -> list[bytes]:
    """The seal under the current pepper, and under the previous one during a pepper rotation."""
    message = name.encode() + b"\x00" + payload
    return [hmac.digest(pepper.derive("cursor"), message, "sha256")[:_SEAL_LENGTH] for pepper in peppers.current().all]
