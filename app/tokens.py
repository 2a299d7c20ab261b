"""The tokens of sessions and one-time links: 256 random bits, of which the database holds only the SHA-256."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, in characters that need no escaping in a cookie or a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """The stored digest of a token. It cannot be guessed, so that a plain SHA-256 is enough (NIST SP 800-63B-4 §5.1)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
