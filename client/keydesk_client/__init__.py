"""Protects any ASGI application with API keys that Keydesk issues, verifies and counts.

`KeydeskMiddleware` wraps a Starlette, FastAPI or Litestar app; `Keydesk` verifies and reports without the middleware.
"""

from keydesk_client.client import Keydesk
from keydesk_client.declared import declared, permission
from keydesk_client.errors import KeydeskError, KeydeskRefused, KeydeskUnavailable
from keydesk_client.middleware import KeydeskMiddleware
from keydesk_client.notice import Notice
from keydesk_client.outcome import Batch, Outcome, Receipt
from keydesk_client.rules import ANY_KEY, CLOSED, PUBLIC, Requirement
from keydesk_client.verdict import KeydeskKey, Verdict

__all__ = [
    "ANY_KEY",
    "CLOSED",
    "PUBLIC",
    "Batch",
    "Keydesk",
    "KeydeskError",
    "KeydeskKey",
    "KeydeskMiddleware",
    "KeydeskRefused",
    "KeydeskUnavailable",
    "Notice",
    "Outcome",
    "Receipt",
    "Requirement",
    "Verdict",
    "declared",
    "permission",
]
