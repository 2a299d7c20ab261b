"""Secrets: how they are generated, how their format is recognized, and which part may be shown.

`fl_live_` + 32 random base62 characters + 6 base62 characters of the CRC32 over all before. Only the first
four random characters are ever shown or stored in clear (166 bits stay unknown); of the rest nothing but
`Pepper.digest(secret)` may be stored. The checksum tells a typo from a key without a look-up; it proves nothing.
"""

from __future__ import annotations

import re
import secrets
import zlib
from enum import StrEnum
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH: Final = 32
CHECKSUM_LENGTH: Final = 6
SHOWN_LENGTH: Final = 4
# All numbers of two digits: a checksum is computed for every verification.
_PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
# Finds a key with any company prefix in any text: logs redact it, and secret scanners search for it.
PATTERN: Final = re.compile(r"\b[a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{38}\b")
_SHAPE: Final = re.compile(r"([a-z][a-z0-9]{1,7})_(live|test|mgmt|gate)_[0-9A-Za-z]{38}")
_BEGINNING: Final = re.compile(rf"([a-z][a-z0-9]{{1,7}}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{{{SHOWN_LENGTH}}})[0-9A-Za-z]+")


class KeyClass(StrEnum):
    """What a credential is for, readable in its second part; classes are never interchangeable."""

    LIVE = "live"
    TEST = "test"
    MANAGEMENT = "mgmt"
    GATEWAY = "gate"


_CLASSES: Final = {str(each): each for each in KeyClass}


def generate(company: str, key_class: KeyClass | str) -> str:
    """A new secret; 190 random bits from the operating system."""
    text = f"{company}_{key_class}_{_body(secrets.randbelow(62**RANDOM_LENGTH))}"
    return text + checksum(text)


def _body(number: int) -> str:
    """A number as RANDOM_LENGTH base62 digits."""
    pairs = []
    for _ in range(RANDOM_LENGTH // 2):
        number, last = divmod(number, 62**2)
        pairs.append(_PAIRS[last])
    return "".join(pairs)


def checksum(text: str) -> str:
    """CRC32 of the ASCII text as six base62 digits, most significant first."""
    rest, last = divmod(zlib.crc32(text.encode("ascii")), 62**2)
    first, middle = divmod(rest, 62**2)
    return _PAIRS[first] + _PAIRS[middle] + _PAIRS[last]


def class_of(secret: str, prefixes: tuple[str, ...]) -> KeyClass | None:
    """The class of a well-formed secret with one of these company prefixes; None for everything else."""
    shape = _SHAPE.fullmatch(secret)
    if shape is None or shape.group(1) not in prefixes or checksum(secret[:-CHECKSUM_LENGTH]) != secret[-CHECKSUM_LENGTH:]:
        return None
    return _CLASSES[shape.group(2)]


def has_shape(text: str, prefixes: tuple[str, ...]) -> bool:
    """Whether it looks like a secret with one of these company prefixes, whatever its checksum."""
    shape = _SHAPE.fullmatch(text)
    return shape is not None and shape.group(1) in prefixes


def prefix_of(secret: str) -> str:
    """The part that is always shown, without the ellipsis: `fl_live_a1b2`."""
    return secret[: -(RANDOM_LENGTH - SHOWN_LENGTH) - CHECKSUM_LENGTH]


def mask_secrets(text: str) -> str:
    """The text with every key, or beginning of a key, truncated to its prefix."""
    return _BEGINNING.sub(r"\1", text)
