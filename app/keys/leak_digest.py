"""The digest by which a scanner asks about a secret without sending it.

The scanner sends SHA-256(secret), from which 190 random bits cannot be guessed. What is stored is an HMAC over that, under a key
of the workspace that the pepper protects: a stolen database still does not tell whether a known secret is in it, and no digest
means anything in another workspace (docs/decisions/0015).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

PURPOSE: Final = "leaked keys"
SHA256: Final = re.compile(r"[0-9a-f]{64}")


def sha256_of(secret: str) -> bytes:
    """What a scanner sends instead of the secret."""
    return hashlib.sha256(secret.encode()).digest()


def keyed(key: bytes, sha256: bytes) -> bytes:
    """What is stored. `key`: derived from the workspace's own for this PURPOSE."""
    return hmac.digest(key, sha256, "sha256")
