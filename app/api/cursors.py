"""Opaque cursors: a position in one list of one workspace, sealed, so that nobody can make one up or use it elsewhere."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError

from app.api.price import DEFAULT_PAGE, MAXIMUM_PAGE
from app.peppers import service as peppers

_SEAL_LENGTH: Final = 12
_FOREIGN: Final = "This cursor does not belong to this list. Use one that the same list, in the same order, has given."
Position = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list a client asked for: `limit` things after or before a position, counted from the end if `backwards`."""

    place: str
    limit: int
    after: Position | None = None
    before: Position | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """A connection's four arguments as the client gave them."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None

    def of(self, place: str) -> Window:
        """The window of the list that `place` names: its workspace, which list it is, and how it is ordered.

        Raises GraphQLError for a size outside 1 to 100 and for cursors of other lists.
        """
        if self.first is not None and self.last is not None:
            raise refused("Give `first` or `last`, not both.")
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 1 <= size <= MAXIMUM_PAGE:
                raise refused(f"`{name}` is a number from 1 to {MAXIMUM_PAGE}.")
        return Window(
            place,
            limit=self.first or self.last or DEFAULT_PAGE,
            after=opened(place, self.after) if self.after is not None else None,
            before=opened(place, self.before) if self.before is not None else None,
            backwards=self.last is not None,
        )


def sealed(place: str, position: Sequence[Any]) -> str:
    """The cursor of a position."""
    payload = json.dumps(list(position), separators=(",", ":")).encode()
    return _encode(_seals(place, payload)[0] + payload)


def opened(place: str, cursor: str) -> Position:
    """The position a cursor of this list stands for. Raises GraphQLError for any other text."""
    raw = _decode(cursor)
    seal, payload = raw[:_SEAL_LENGTH], raw[_SEAL_LENGTH:]
    if not any(hmac.compare_digest(seal, good) for good in _seals(place, payload)):
        raise refused(_FOREIGN)
    return tuple(json.loads(payload))


def refused(message: str) -> GraphQLError:
    """An argument that makes no sense."""
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(cursor: str) -> bytes:
    """Only the one spelling that `_encode` gives."""
    with contextlib.suppress(ValueError):
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        if _encode(raw) == cursor:
            return raw
    raise refused(_FOREIGN)


def _seals(place: str, payload: bytes) -> list[bytes]:
    """The seal under the current pepper, and under the previous one while it is being changed."""
    message = place.encode() + b"\x00" + payload
    return [hmac.digest(pepper.derive("cursor"), message, "sha256")[:_SEAL_LENGTH] for pepper in peppers.current().all]
