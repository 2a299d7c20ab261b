"""Ids: a type prefix and 20 lower-case base32 characters (100 random bits), the same string in every face of the product."""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"

API_KEY: Final = "key"
WORKSPACE: Final = "wsp"
USER: Final = "usr"
MEMBER: Final = "mem"
INVITATION: Final = "inv"
SESSION: Final = "ses"
MANAGEMENT_KEY: Final = "mgk"
GATEWAY_TOKEN: Final = "gtk"
AUDIT_ENTRY: Final = "aud"
ROTATION: Final = "rot"
CALLER: Final = "cal"
REQUEST: Final = "req"

_SHAPE = re.compile(rf"[a-z]{{3}}_[{ALPHABET}]{{20}}")


def new(kind: str) -> str:
    """A fresh id of one of the kinds above, e.g. `key_7x…`."""
    return f"{kind}_" + "".join(secrets.choice(ALPHABET) for _ in range(20))


def is_a(kind: str, value: str) -> bool:
    """Whether `value` is shaped like an id of this kind; an id of another type is never looked up."""
    return value.startswith(f"{kind}_") and _SHAPE.fullmatch(value) is not None
