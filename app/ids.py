"""Ids: a type prefix and 20 lower-case base32 characters (100 random bits), the same string in every interface."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Final

ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
# The same in the order in which text is compared by bytes.
SORTED: Final = "".join(sorted(ALPHABET))

# The prefix of request ids; requests are not a noun. Other prefixes are declared by their nouns.
REQUEST: Final = "req"

_SHAPE = re.compile(rf"[a-z]{{3}}_[{ALPHABET}]{{20}}")


def new(kind: str) -> str:
    """A new id with this prefix of three letters, e.g. `key_7x…`."""
    # Base32 of 104 random bits, of which the first 20 characters contain 100.
    return of(kind, secrets.token_bytes(13))


def of(kind: str, digest: bytes) -> str:
    """The id that belongs to these secret bytes, 13 or more, always the same."""
    return f"{kind}_{base64.b32encode(digest[:13])[:20].decode().lower()}"


def is_a(kind: str, value: str) -> bool:
    """Whether `value` has the format of an id with this prefix; other ids are never looked up."""
    return value.startswith(f"{kind}_") and _SHAPE.fullmatch(value) is not None
