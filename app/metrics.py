"""What `/metrics` tells (Prometheus). No label holds a tenant, a key or anything a caller chose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

VERIFICATIONS: Final = Counter("keydesk_verifications", "Verifications answered, by verdict.", ["code"])
UNANSWERED: Final = Counter("keydesk_verifications_unavailable", "Verifications answered 503, because nothing could be known.")
BATCH: Final = Histogram(
    "keydesk_verification_batch_requests", "Verifications that shared one read and one write.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
REQUESTS: Final = Counter("keydesk_requests", "Requests to the dashboard and to GraphQL, by status.", ["face", "status"])
ADDRESSES_UNREADABLE: Final = Counter(
    "keydesk_addresses_unreadable", "Requests whose X-Forwarded-For held no address where one belongs; it counts as unknown."
)
CLOCK_SET_BACK: Final = Counter("keydesk_clock_set_back", "Times the database's clock went back by more than a minute.")
NEWEST_AHEAD: Final = Gauge(
    "keydesk_newest_instant_ahead_seconds", "How far the newest instant in the database lies ahead of its clock; 0 is right."
)


def counting(face: str, app: App) -> App:
    """The application with its answers counted."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                REQUESTS.labels(face, str(message["status"])).inc()
            await send(message)

        await app(scope, receive, send_counted)

    return counted
