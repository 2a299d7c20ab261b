"""Lines of JSON that end with a MAC over the line and over everything before it, for files that leave the database."""

from __future__ import annotations

import hmac
import json
import re
from typing import Any, Final

_SEALED: Final = re.compile(r'(\{.*), "seal": "([0-9a-f]{64})"\}')


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key for another purpose than the MACs of a chain."""
    return hmac.digest(key, b"keydesk audit\x00" + purpose.encode(), "sha256")


def sealed(fields: dict[str, Any], key: bytes, previous: bytes = b"") -> tuple[str, bytes]:
    """The line, without its end, and its seal, which the next line takes as `previous`."""
    text = json.dumps(fields, ensure_ascii=False)
    seal = _seal(text, key, previous)
    return f'{text[:-1]}, "seal": "{seal.hex()}"}}', seal


def unsealed(line: str) -> tuple[str, bytes] | None:
    """The text that was sealed and the seal; None for a line without one."""
    match = _SEALED.fullmatch(line)
    return (match[1] + "}", bytes.fromhex(match[2])) if match else None


def is_seal_of(text: str, seal: bytes, key: bytes, previous: bytes = b"") -> bool:
    return hmac.compare_digest(seal, _seal(text, key, previous))


def _seal(text: str, key: bytes, previous: bytes) -> bytes:
    return hmac.digest(key, previous + text.encode("utf-8", "surrogatepass"), "sha256")
