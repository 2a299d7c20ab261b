"""Finds secrets of Keydesk: detect-secrets scan --plugin keydesk_detector.py"""

import re
import zlib
from collections.abc import Generator
from typing import Any

from detect_secrets.plugins.base import RegexBasedDetector

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class KeydeskDetector(RegexBasedDetector):
    """Secrets of API keys, management keys and gateway tokens."""

    secret_type = "Keydesk secret"
    denylist = [re.compile(r"\bfl_(?:live|test|mgmt|gate)_[0-9A-Za-z]{38}\b")]  # noqa: RUF012 - as the base class declares it

    def analyze_string(self, string: str, **kwargs: Any) -> Generator[str, None, None]:
        for secret in super().analyze_string(string, **kwargs):
            if secret.endswith(checksum(secret[:-6])):
                yield secret


def checksum(text: str) -> str:
    """CRC32 as 6 base62 digits, most significant first."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits
