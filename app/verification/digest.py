"""`Pepper.digest` for thousands of secrets a second: the HMAC states of the pepper are computed once (RFC 2104 §4)."""

from __future__ import annotations

import hashlib
from typing import Final

from app.peppers.pepper import Pepper, Peppers

_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Digester:
    """Computes the same digests as `Pepper.digest` in less than half the time.

    `hmac.new(…).copy()` would hash the pepper once too, but takes 1.6 µs instead of 1.0 for each digest.
    """

    def __init__(self, pepper: Pepper) -> None:
        key = pepper.value if len(pepper.value) <= _BLOCK else hashlib.sha256(pepper.value).digest()
        self._inner = hashlib.sha256(key.ljust(_BLOCK, b"\0").translate(_INNER))
        self._outer = hashlib.sha256(key.ljust(_BLOCK, b"\0").translate(_OUTER))

    def digest(self, secret: str) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(secret.encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return outer.digest()


def digesters(peppers: Peppers) -> tuple[Digester, ...]:
    """Digesters of all peppers, the current one first."""
    return tuple(Digester(pepper) for pepper in peppers.all)
