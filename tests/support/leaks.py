"""Looking for a secret in whatever shape it may have been written: itself, parts of it, encoded, or digested without a key."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

# Every run of 12 characters holds one of these whole: 8 characters long, beginning at every fifth.
_WINDOW, _STEP = 8, 5


@dataclass(frozen=True)
class Secret:
    """`shown` characters at its beginning are no secret. `parts`: whether parts of it may be nowhere either; those of words
    are everywhere. `digests`: whether plain digests may not; of a random token, which nobody can guess, one is stored."""

    name: str
    text: str
    shown: int = 0
    parts: bool = True
    digests: bool = True

    def shapes(self) -> set[bytes]:
        """What must not be found."""
        hidden = self.text[self.shown :]
        starts = [*range(0, len(hidden) - _WINDOW, _STEP), len(hidden) - _WINDOW] if self.parts else []
        found = {hidden[start : start + _WINDOW].encode() for start in starts}
        found |= {hidden.encode(), quote(self.text).encode(), quote_plus(self.text).encode()}
        found |= set(_base64(self.text.encode())) | {self.text.encode().hex().encode(), self.text.encode().hex().upper().encode()}
        return found | (set(_digests(self.text.encode())) if self.digests else set())

    def found_in(self, content: bytes) -> list[bytes]:
        return [shape for shape in self.shapes() if shape in content]


def _base64(raw: bytes) -> Iterator[bytes]:
    """As it looks inside a longer text too, at each of the three places where it may begin; without what its neighbours decide."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).rstrip(b"=")
            yield text[4 if before else 0 : -2]


def _digests(raw: bytes) -> Iterator[bytes]:
    for name in ("sha256", "sha1", "md5", "sha512", "blake2b"):
        digest = hashlib.new(name, raw).digest()
        yield from (digest, digest.hex().encode(), digest.hex().upper().encode())
        yield from (base64.b64encode(digest).rstrip(b"="), base64.urlsafe_b64encode(digest).rstrip(b"="))
