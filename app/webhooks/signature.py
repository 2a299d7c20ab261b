"""Signatures by the Standard Webhooks specification (https://www.standardwebhooks.com): HMAC-SHA-256 over id, time and body."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Collection
from typing import Final

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """256 random bits: `whsec_` and their base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, seconds: int, body: bytes) -> str:
    """One signature, `v1,…`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{message_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def headers(keys: Collection[str], message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers; with a signature for each secret, of which a receiver has to know one."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(sign(key, message_id, seconds, body) for key in keys),
    }
