"""The expression that finds secrets, as configuration of other secret scanners. They cannot check the checksum."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from app.keys.secret import CHECKSUM_LENGTH, RANDOM_LENGTH, KeyClass

_NAME: Final = "keydesk-secret"
_CLASSES: Final = "|".join(KeyClass)


def expression(prefixes: tuple[str, ...]) -> str:
    """For the prefixes of one catalogue; in the syntax that Python, RE2 and PCRE share."""
    companies = "|".join(map(re.escape, prefixes))
    companies = companies if len(prefixes) == 1 else f"(?:{companies})"
    return rf"\b{companies}_(?:{_CLASSES})_[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}\b"


def _keywords(prefixes: tuple[str, ...]) -> list[str]:
    """Texts of which every secret contains one: scanners look for them first."""
    return [f"{company}_{each}_" for company in prefixes for each in KeyClass]


def gitleaks(prefixes: tuple[str, ...]) -> str:
    """A `.gitleaks.toml`."""
    keywords = ", ".join(f'"{each}"' for each in _keywords(prefixes))
    return (
        "[extend]\nuseDefault = true\n\n[[rules]]\n"
        f'id = "{_NAME}"\ndescription = "Secret of an API key, management key or gateway token of Keydesk"\n'
        f"regex = '''{expression(prefixes)}'''\nkeywords = [{keywords}]\n"
    )


def trufflehog(prefixes: tuple[str, ...]) -> str:
    """A file for `trufflehog --config`."""
    keywords = "".join(f"      - {each}\n" for each in _keywords(prefixes))
    return f"detectors:\n  - name: {_NAME}\n    keywords:\n{keywords}    regex:\n      secret: '{expression(prefixes)}'\n"


def detect_secrets(prefixes: tuple[str, ...]) -> str:
    """A plugin for `detect-secrets scan --plugin`; it also checks the checksum."""
    return f'''"""Finds secrets of Keydesk: detect-secrets scan --plugin keydesk_detector.py"""

import re
import zlib
from collections.abc import Generator
from typing import Any

from detect_secrets.plugins.base import RegexBasedDetector

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class KeydeskDetector(RegexBasedDetector):
    """Secrets of API keys, management keys and gateway tokens."""

    secret_type = "Keydesk secret"
    denylist = [re.compile(r"{expression(prefixes)}")]  # noqa: RUF012 - as the base class declares it

    def analyze_string(self, string: str, **kwargs: Any) -> Generator[str, None, None]:
        for secret in super().analyze_string(string, **kwargs):
            if secret.endswith(checksum(secret[:-{CHECKSUM_LENGTH}])):
                yield secret


def checksum(text: str) -> str:
    """CRC32 as {CHECKSUM_LENGTH} base62 digits, most significant first."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range({CHECKSUM_LENGTH}):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits
'''


FORMATS: Final[Mapping[str, Callable[[tuple[str, ...]], str]]] = {
    "regex": lambda prefixes: expression(prefixes) + "\n",
    "gitleaks": gitleaks,
    "trufflehog": trufflehog,
    "detect-secrets": detect_secrets,
}
