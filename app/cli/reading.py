"""Every secret in a text that leaked: any text in any encoding, several secrets a line, or a piece of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app import catalogue
from app.keys.secret import CHECKSUM_LENGTH, RANDOM_LENGTH, checksum

_LENGTH: Final = RANDOM_LENGTH + CHECKSUM_LENGTH
_REST: Final = r"_(?:live|test|mgmt|gate)_)([0-9A-Za-z]+)"
_ANY_COMPANY: Final = re.compile(r"(?<![0-9A-Za-z])([a-z][a-z0-9]{1,7}" + _REST)
# Single characters with one zero (UTF-16) or three (UTF-32) before or after each. The shortest secret is far longer.
_WIDE: Final = re.compile(rb"(?:[^\0]\0{1,3}){8,}|(?:\0{1,3}[^\0]){8,}")


@dataclass(frozen=True, slots=True)
class Read:
    """What was in a text: whole secrets, each once, and how many pieces of secrets."""

    whole: tuple[str, ...]
    pieces: int


def text_of(raw: bytes) -> str:
    """The text as far as secrets go, which are ASCII: bytes of other letters stay some other letters.

    UTF-16 and UTF-32 are ASCII with zeros between, in the whole file or in a part of it, as where a shell appends UTF-16 to a
    file of ASCII; elsewhere a zero separates.
    """
    return _WIDE.sub(lambda part: part[0].replace(b"\0", b""), raw).decode("latin-1")


def read(text: str) -> Read:
    """All secrets of `text`. Those of this installation's prefixes are found also where other letters touch them."""
    ours = re.compile("((?:" + "|".join(map(re.escape, catalogue.current().prefixes)) + ")" + _REST)
    # Looked for anew at each place: the letters after one secret may be the beginning of another.
    everywhere = re.compile(f"(?={ours.pattern})")
    matches = [*everywhere.finditer(text), *_ANY_COMPANY.finditer(ours.sub(" ", text))]
    secrets = [_whole(match[1], match[2]) for match in matches]
    return Read(tuple(dict.fromkeys(filter(None, secrets))), secrets.count(None))


def _whole(beginning: str, rest: str) -> str | None:
    """What follows a secret without a space is told from it by the checksum."""
    secret = beginning + rest[:_LENGTH]
    is_certain = checksum(secret[:-CHECKSUM_LENGTH]) == secret[-CHECKSUM_LENGTH:]
    return secret if len(rest) == _LENGTH or (len(rest) > _LENGTH and is_certain) else None
