"""Errors between a protected service and its Keydesk:

KeydeskError
├── KeydeskUnavailable   no answer now; the same request may be sent again
└── KeydeskRefused       a retry would be refused again: a bad gateway token, an unknown permission

Neither is a verdict. A service that gets one must refuse the request, with 503 and never with 401.
"""

from __future__ import annotations


class KeydeskError(Exception):
    """Keydesk gave no verdict. The message never contains a key or the gateway token."""

    retry_after_seconds: int = 1


class KeydeskUnavailable(KeydeskError):
    """Keydesk, or the connection to it, is down or overloaded; retry after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class KeydeskRefused(KeydeskError):
    """Keydesk refused the request itself (`status` 4xx): someone has to fix the service's configuration."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
