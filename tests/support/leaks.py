"""Searches for a secret in every form in which it may have been written: plain, in parts, encoded, or as an unkeyed digest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

# Every 12 consecutive characters contain one of these pieces: 8 characters long, starting at every fifth.
_WINDOW, _STEP = 8, 5


@dataclass(frozen=True)
class Secret:
    """The first `shown` characters are not secret. `parts`: whether to search for parts too, which is not possible if they are
    common words. `digests`: whether to search for unkeyed digests too; one is stored of random tokens, which nobody can guess."""

    name: str
    text: str
    shown: int = 0
    parts: bool = True
    digests: bool = True

    def shapes(self) -> set[bytes]:
        """All forms that must not be found."""
        hidden = self.text[self.shown :]
        starts = [*range(0, len(hidden) - _WINDOW, _STEP), len(hidden) - _WINDOW] if self.parts else []
        found = {hidden[start : start + _WINDOW].encode() for start in starts}
        found |= {hidden.encode(), quote(self.text).encode(), quote_plus(self.text).encode()}
        found |= set(_base64(self.text.encode())) | {self.text.encode().hex().encode(), self.text.encode().hex().upper().encode()}
        return found | (set(_digests(self.text.encode())) if self.digests else set())

    def found_in(self, content: bytes) -> list[bytes]:
        return [shape for shape in self.shapes() if shape in content]


def _base64(raw: bytes) -> Iterator[bytes]:
    """Its Base64 forms inside a longer text, at each of the three possible offsets, without characters that depend on neighbors."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).rstrip(b"=")
            yield text[4 if before else 0 : -2]


def _digests(raw: bytes) -> Iterator[bytes]:
    for name in ("sha256", "sha1", "md5", "sha512", "blake2b"):
        digest = hashlib.new(name, raw).digest()
        yield from (digest, digest.hex().encode(), digest.hex().upper().encode())
        yield from (base64.b64encode(digest).rstrip(b"="), base64.urlsafe_b64encode(digest).rstrip(b"="))
