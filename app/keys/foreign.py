"""Secrets that were issued elsewhere and imported by the hash that was kept there.

Of the hash only a keyed digest is stored, under a key derived from the pepper for each algorithm: a stolen database does not tell
whether a known hash is in it, and nobody can present a hash in the place of its secret. The first successful use replaces it with
`Pepper.digest(secret)`, as all keys have it (docs/decisions/0019).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.keys.secret import has_shape
from app.peppers.pepper import Pepper, Peppers

SHORTEST: Final = 16
LONGEST: Final = 256
# What is kept in clear of the beginning of a secret, which has SHORTEST characters or more.
SHOWN_LENGTH: Final = 12
ALGORITHMS: Final[Mapping[str, Callable[[bytes], Any]]] = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_SHAPE: Final = re.compile(rf"[\x21-\x7e]{{{SHORTEST},{LONGEST}}}")


class ForeignSecret(str):
    """A text that may be a secret from elsewhere, and cannot be one of Keydesk's."""

    __slots__ = ()


def foreign(text: str, prefixes: tuple[str, ...]) -> ForeignSecret | None:
    """None for text of Keydesk's own shape, which a typo leaves as it is, and for what is no secret anywhere."""
    if _SHAPE.fullmatch(text) is None or has_shape(text, prefixes):
        return None
    return ForeignSecret(text)


def keyed(pepper: Pepper, algorithm: str, hashed: bytes) -> bytes:
    """What is stored of the hash until the key is used."""
    return hmac.digest(pepper.derive(f"imported {algorithm}"), hashed, "sha256")


def keyed_digests(peppers: Peppers, secret: str) -> tuple[bytes, ...]:
    """Every digest under which an unused imported key with this secret may be stored."""
    hashes = {algorithm: function(secret.encode()).digest() for algorithm, function in ALGORITHMS.items()}
    return tuple([keyed(pepper, algorithm, hashed) for pepper in peppers.all for algorithm, hashed in hashes.items()])


def unused_version(pepper: Pepper) -> int:
    """The pepper version of a key that still has the keyed digest of its hash: negative, so that it is older than every version of
    digests, and the first use replaces it."""
    return -pepper.version
