"""Finds the API key of a request: in `X-API-Key`, otherwise in `Authorization: Bearer`; never in the URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from keydesk_client.asgi import Scope

# Matches every key prefix, which each Keydesk chooses; class, underscores and length are always the same.
KEY_SHAPE: Final = re.compile(r"(?<![0-9A-Za-z])[a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{38}(?![0-9A-Za-z])")
# A key has 54 characters at most. Keydesk would refuse a much longer text for its size, so it is not asked.
LONGEST_KEY: Final = 256
_WHITE_SPACE: Final = " \t"  # HTTP's white space around a value, which is not part of it (RFC 9110 section 5.6.3)


class BadCredential(Exception):
    """The request's credential is ambiguous, too long or in the URL: the request is refused without asking Keydesk."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def find_key(scope: Scope) -> str | None:
    """Returns the text that a caller sent as its key, unchanged; None without one. Raises BadCredential if it is ambiguous.

    Treats the same headers exactly as Keydesk's own `/v1/forward-auth`.
    """
    _refuse_query(scope.get("query_string", b""))
    own, bearer = _only(scope, b"x-api-key").strip(_WHITE_SPACE), _bearer_token(_only(scope, b"authorization"))
    # The other header is often a JWT for another service; with a second key nobody can know which one is meant.
    if own != bearer and KEY_SHAPE.fullmatch(own) and KEY_SHAPE.fullmatch(bearer):
        raise BadCredential(400, "KEY_AMBIGUOUS", "The request holds two different API keys. Send one, in X-API-Key.")
    key = own or bearer
    if len(key) > LONGEST_KEY:
        raise BadCredential(401, "MALFORMED", "This is not an API key: it is far too long.")
    return key or None


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a header, whose name is in lower case; None without it."""
    return next(_header_values(scope, name), None)


def redact(text: str) -> str:
    """`text` without anything that looks like a key or a token, for logs and messages."""
    return KEY_SHAPE.sub("[secret]", text)


def _header_values(scope: Scope, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)


def _only(scope: Scope, name: bytes) -> str:
    """The value of a header, "" without one. Raises BadCredential if it occurs twice, even with the same value: another
    component on the request's path may read the other line."""
    values = list(_header_values(scope, name))
    if len(values) > 1:
        raise BadCredential(400, "KEY_AMBIGUOUS", f"The header {name.decode()} is given twice. Send one API key, in X-API-Key.")
    return values[0] if values else ""


def _bearer_token(credentials: str) -> str:
    scheme, _, token = credentials.partition(" ")
    return token.strip(_WHITE_SPACE) if scheme.lower() == "bearer" else ""


def _refuse_query(query: bytes) -> None:
    """URLs are written to logs and histories, so a key in one must be replaced, not accepted."""
    if KEY_SHAPE.search(unquote_to_bytes(query).decode("latin-1")):
        raise BadCredential(400, "KEY_IN_QUERY", "An API key never goes into an address. Send it in the header X-API-Key.")
