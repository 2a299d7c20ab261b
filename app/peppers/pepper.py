"""What may be stored of a secret: HMAC-SHA-256(pepper, secret), 32 bytes, and the version of the pepper that made it.

A key has 190 random bits, so guessing is hopeless and a slow hash would buy nothing; the pepper keeps a stolen database
from being searched (NIST SP 800-63B-4 §3.1.1.2, keyed hash; docs/decisions/0001).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import Unavailable

MINIMUM_BYTES = 32
_VERSION_BYTES = 4


class GoneOn(Unavailable, LookupError):
    """Something was wrapped by a pepper that this process was not given: nothing of it can be read or checked here."""

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(internal=f"this database has gone on to another pepper (version {version}); this process was not given it")


@dataclass(frozen=True, slots=True)
class Pepper:
    """One pepper and the version its digests carry."""

    version: int
    value: bytes = field(repr=False)

    def digest(self, secret: str) -> bytes:
        return hmac.digest(self.value, secret.encode("utf-8", "surrogatepass"), "sha256")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another purpose than digests, e.g. the MAC of cursors."""
        return hmac.digest(self.value, b"keydesk purpose\x00" + purpose.encode(), "sha256")

    @property
    def fingerprint(self) -> bytes:
        """Recognises the pepper without telling anything about it."""
        return self.derive("fingerprint")


@dataclass(frozen=True, slots=True)
class Peppers:
    """The current pepper, and the previous one while it is being changed. `file`: where the current one was read from."""

    current: Pepper
    previous: Pepper | None = None
    file: Path | None = None

    @property
    def all(self) -> tuple[Pepper, ...]:
        return (self.current, self.previous) if self.previous else (self.current,)

    def digests(self, secret: str) -> tuple[bytes, ...]:
        """Every digest under which the secret may be stored, the current one first."""
        return tuple(pepper.digest(secret) for pepper in self.all)

    def wrap(self, key: bytes, context: str) -> bytes:
        """A 32-byte key hidden under the current pepper: its version, then XOR with a pad used for this context only."""
        return self.current.version.to_bytes(_VERSION_BYTES) + _xor(key, self.current, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The key again; GoneOn if it was wrapped by a pepper this process was not given."""
        version = version_of(wrapped)
        for pepper in self.all:
            if pepper.version == version:
                return _xor(wrapped[_VERSION_BYTES:], pepper, context)
        raise GoneOn(version)

    def is_current(self, wrapped: bytes) -> bool:
        return version_of(wrapped) == self.current.version


def version_of(wrapped: bytes) -> int:
    """Which pepper wrapped it."""
    return int.from_bytes(wrapped[:_VERSION_BYTES])


def _xor(key: bytes, pepper: Pepper, context: str) -> bytes:
    return bytes(a ^ b for a, b in zip(key, pepper.derive(f"wrap {context}"), strict=True))
