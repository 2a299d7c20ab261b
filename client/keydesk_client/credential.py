"""Where a request carries its key: `X-API-Key`, else `Authorization: Bearer`; never in the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from keydesk_client.asgi import Scope

# Whatever prefix the Keydesk in charge has chosen; the class, the underscores and the length are the same everywhere.
KEY_SHAPE: Final = re.compile(r"(?<![0-9A-Za-z])[a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{38}(?![0-9A-Za-z])")
# A key has 54 characters at most. What is much longer is not worth a question, and would be refused for its size.
LONGEST_KEY: Final = 256
_WHITE_SPACE: Final = " \t"  # that of HTTP, which is no part of a value (RFC 9110 section 5.6.3)


class BadCredential(Exception):
    """The request names its key in a way that nobody should: it is refused, and Keydesk is never asked about it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def find_key(scope: Scope) -> str | None:
    """The text that a caller offers as its key, as it came; None without one, BadCredential if it is unclear which.

    The same verdict on the same headers as at Keydesk's own `/v1/forward-auth`.
    """
    _refuse_query(scope.get("query_string", b""))
    own, bearer = _only(scope, b"x-api-key").strip(_WHITE_SPACE), _bearer_token(_only(scope, b"authorization"))
    # The other header is often a JWT for somebody else; a second key is a mistake that must not be guessed away.
    if own != bearer and KEY_SHAPE.fullmatch(own) and KEY_SHAPE.fullmatch(bearer):
        raise BadCredential(400, "KEY_AMBIGUOUS", "The request holds two different API keys. Send one, in X-API-Key.")
    key = own or bearer
    if len(key) > LONGEST_KEY:
        raise BadCredential(401, "MALFORMED", "This is not an API key: it is far too long.")
    return key or None


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a header, named in lower case; None without it."""
    return next(_header_values(scope, name), None)


def blot(text: str) -> str:
    """`text` with everything that looks like a key or a token taken out, for logs and messages."""
    return KEY_SHAPE.sub("[secret]", text)


def _header_values(scope: Scope, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)


def _only(scope: Scope, name: bytes) -> str:
    """The value of a header, "" without one. BadCredential if it comes twice, even with the same value: what reads the
    request before or after us may take the other line."""
    values = list(_header_values(scope, name))
    if len(values) > 1:
        raise BadCredential(400, "KEY_AMBIGUOUS", f"The header {name.decode()} is given twice. Send one API key, in X-API-Key.")
    return values[0] if values else ""


def _bearer_token(credentials: str) -> str:
    scheme, _, token = credentials.partition(" ")
    return token.strip(_WHITE_SPACE) if scheme.lower() == "bearer" else ""


def _refuse_query(query: bytes) -> None:
    """An address is written to logs and histories, so that a key in it must be replaced, not accepted."""
    if KEY_SHAPE.search(unquote_to_bytes(query).decode("latin-1")):
        raise BadCredential(400, "KEY_IN_QUERY", "An API key never goes into an address. Send it in the header X-API-Key.")
