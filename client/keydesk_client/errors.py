"""What can go wrong between a protected service and its Keydesk:

KeydeskError
├── KeydeskUnavailable   no answer now; the same question may be asked again
└── KeydeskRefused       an answer that repeats itself: a bad gateway token, an unknown permission

Neither is a verdict. Who gets one of them must refuse the request, with 503 and never with 401.
"""

from __future__ import annotations


class KeydeskError(Exception):
    """Keydesk gave no verdict. The message never holds a key or the gateway token."""

    retry_after_seconds: int = 1


class KeydeskUnavailable(KeydeskError):
    """Keydesk, or the way to it, is down or overloaded; `retry_after_seconds` is when to ask again."""

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class KeydeskRefused(KeydeskError):
    """Keydesk refused the question itself (`status` 4xx): somebody has to mend the service's configuration."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
