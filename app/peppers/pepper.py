"""The digest that may be stored of a secret: HMAC-SHA-256(pepper, secret), 32 bytes, with the version of its pepper.

A key has 190 random bits, so guessing is infeasible and a slow hash adds nothing; the pepper keeps a stolen database
from being searched (NIST SP 800-63B-4 §3.1.1.2, keyed hash; docs/decisions/0001).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MINIMUM_BYTES = 32
_VERSION_BYTES = 4
_NONCE_BYTES = 12
WRAPPED_BYTES = _VERSION_BYTES + 32


class PepperGone(Unavailable, LookupError):
    """A value was wrapped by a pepper that this process does not have, so it can be neither read nor checked here."""

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
        """Identifies the pepper without revealing it."""
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
        """The unwrapped key. Raises PepperGone if it was wrapped by a pepper that this process does not have."""
        version = version_of(wrapped)
        for pepper in self.all:
            if pepper.version == version:
                return _xor(wrapped[_VERSION_BYTES:], pepper, context)
        raise PepperGone(version)

    def seal(self, content: bytes, context: str) -> bytes:
        """Content of any length, encrypted and authenticated (AES-256-GCM, NIST SP 800-38D) with a key that is derived from the
        current pepper for this context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self.current.version.to_bytes(_VERSION_BYTES) + nonce + _cipher(self.current, context).encrypt(nonce, content, None)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The content. Raises PepperGone like `unwrap`, and ValueError if it was changed or sealed in another context."""
        version = version_of(sealed)
        pepper = next((pepper for pepper in self.all if pepper.version == version), None)
        if pepper is None:
            raise PepperGone(version)
        hidden = sealed[_VERSION_BYTES:]
        # Imported when they are needed: 9 MB, which a node that only verifies can do without.
        from cryptography.exceptions import InvalidTag

        try:
            return _cipher(pepper, context).decrypt(hidden[:_NONCE_BYTES], hidden[_NONCE_BYTES:], None)
        except InvalidTag:
            raise ValueError("this was not sealed here, or was changed since") from None

    def is_current(self, wrapped: bytes) -> bool:
        return version_of(wrapped) == self.current.version


def unwrapped(wrapped: bytes, context: str, pepper: bytes) -> bytes:
    """The key under this pepper, whatever its version; another key if it was wrapped by another pepper."""
    return _xor(wrapped[_VERSION_BYTES:], Pepper(0, pepper), context)


def version_of(wrapped: bytes) -> int:
    """The version of the pepper that wrapped it."""
    return int.from_bytes(wrapped[:_VERSION_BYTES])


def _xor(key: bytes, pepper: Pepper, context: str) -> bytes:
    return bytes(a ^ b for a, b in zip(key, pepper.derive(f"wrap {context}"), strict=True))


def _cipher(pepper: Pepper, context: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(pepper.derive(f"seal {context}"))
