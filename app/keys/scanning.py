"""Finds secrets in any bytes: one regular expression finds the middle of a secret, and the checksum decides.

The checksum covers the company's prefix, so a secret is found whatever is directly before or after it, also several without
anything between them, and no list of prefixes is needed. Random text passes with a probability below 10⁻¹⁷ per byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from app.keys.secret import CHECKSUM_LENGTH, RANDOM_LENGTH, KeyClass, checksum

PIECE: Final = 1024 * 1024
_BODY: Final = RANDOM_LENGTH + CHECKSUM_LENGTH
_COMPANY: Final = re.compile(rb"[a-z][a-z0-9]{1,7}")
_LONGEST_COMPANY: Final = 8
# A character of UTF-32 takes four bytes.
_WIDEST: Final = 4
_BEFORE: Final = _LONGEST_COMPANY * _WIDEST
_AFTER: Final = (len("_live_") + _BODY) * _WIDEST + _WIDEST
_CLASSES: Final = "|".join(KeyClass)
_WIDE_CLASSES: Final = "|".join("\\2".join(each) for each in KeyClass)
# It begins with one fixed byte, which the engine searches for at memory speed. Only the middle of a secret is consumed: what
# follows one secret may be the beginning of another. The second form is UTF-16 and UTF-32, with zero bytes between characters.
_MIDDLE: Final = re.compile(rf"_(?:(?:{_CLASSES})_(?=([0-9A-Za-z]{{{_BODY}}}))|(\0{{1,3}})(?:{_WIDE_CLASSES})\2_)".encode("ascii"))


@dataclass(frozen=True, slots=True)
class Found:
    """A secret with a valid checksum, and where its middle is: the offset in the bytes, or the line in a stream."""

    at: int
    secret: str = field(repr=False)


def found_in(data: bytes) -> list[Found]:
    """Every occurrence of a secret, in its order."""
    return [Found(at, secret) for at, secret in _occurrences(data, 0, len(data))]


def lines_of(pieces: Iterable[bytes]) -> Iterator[Found]:
    """Every occurrence in a stream of bytes, with its line, counted from 1. Memory does not depend on the length of a line."""
    kept, line, start = b"", 1, 0
    for piece in pieces:
        data = kept + piece
        end = max(start, len(data) - _AFTER)
        for at, secret in _occurrences(data, start, end):
            yield Found(line + data.count(b"\n", 0, at), secret)
        # What may be the beginning of a secret is searched again, together with the next piece.
        gone = max(0, end - _BEFORE)
        line, start, kept = line + data.count(b"\n", 0, gone), end - gone, data[gone:]
    for at, secret in _occurrences(kept, start, len(kept)):
        yield Found(line + kept.count(b"\n", 0, at), secret)


def _occurrences(data: bytes, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The secrets whose middle begins in this part of the data."""
    for match in _MIDDLE.finditer(data, start):
        if match.start() >= end:
            return
        secret = _secret(data, match) if match[1] is not None else _wide_secret(data, match)
        if secret is not None:
            yield match.start(), secret


def _secret(data: bytes, match: re.Match[bytes]) -> str | None:
    """The text before may end with more than the company's prefix; the checksum says where that begins."""
    before, rest = data[max(0, match.start() - _LONGEST_COMPANY) : match.start()], (match[0] + match[1]).decode("ascii")
    for length in range(2, len(before) + 1):
        company = before[-length:]
        if _COMPANY.fullmatch(company):
            secret = company.decode("ascii") + rest
            if checksum(secret[:-CHECKSUM_LENGTH]) == secret[-CHECKSUM_LENGTH:]:
                return secret
    return None


def _wide_secret(data: bytes, match: re.Match[bytes]) -> str | None:
    """Around a middle with zero bytes, the same text without them."""
    width = len(match[2]) + 1
    before = data[max(0, match.start() - _LONGEST_COMPANY * width) : match.start()].replace(b"\0", b"")
    after = data[match.start() : match.start() + (len("_live_") + _BODY) * width].replace(b"\0", b"")
    narrow = before + after
    inner = _MIDDLE.match(narrow, len(before))
    return _secret(narrow, inner) if inner is not None and inner[1] is not None else None
