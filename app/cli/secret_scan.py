"""Reads the secrets of a leaked text: whole ones in any encoding, and how many incomplete ones there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.keys.scanning import found_in
from app.keys.secret import CHECKSUM_LENGTH, RANDOM_LENGTH

_LENGTH: Final = RANDOM_LENGTH + CHECKSUM_LENGTH
_LIKE_A_SECRET: Final = re.compile(r"[a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_([0-9A-Za-z]+)")
# Characters with one zero byte (UTF-16) or three (UTF-32) before or after each. The shortest secret is far longer.
_WIDE: Final = re.compile(rb"(?:[^\0]\0{1,3}){8,}|(?:\0{1,3}[^\0]){8,}")


@dataclass(frozen=True, slots=True)
class ScannedText:
    """The secrets found in a text, each once, and the number of incomplete ones."""

    whole: tuple[str, ...]
    pieces: int


def text_of(raw: bytes) -> str:
    """Decodes what secrets consist of, which is ASCII; other bytes become other characters.

    In UTF-16 and UTF-32, ASCII has zero bytes in between, in the whole file or a part of it (a shell may append UTF-16 to an
    ASCII file); elsewhere a zero byte separates.
    """
    return _WIDE.sub(lambda part: part[0].replace(b"\0", b""), raw).decode("latin-1")


def read(text: str) -> ScannedText:
    """All secrets of `text`. One with a wrong checksum counts if it has exactly the length of a secret."""
    certain = [found.secret for found in found_in(text.encode("latin-1"))]
    for secret in certain:
        text = text.replace(secret, " ")
    others = list(_LIKE_A_SECRET.finditer(text))
    uncertain = [match[0] for match in others if len(match[1]) == _LENGTH]
    return ScannedText(tuple(dict.fromkeys([*certain, *uncertain])), len(others) - len(uncertain))
