"""The metrics of `/metrics` (Prometheus). No label contains a tenant, a key or input of a caller."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.asgi import App, Message, Receive, Scope, Send, at_start

VERIFICATIONS: Final = Counter("keydesk_verifications", "Verifications answered, by verdict.", ["code"])
UNANSWERED: Final = Counter("keydesk_verifications_unavailable", "Verifications answered 503, because nothing could be known.")
BATCH: Final = Histogram(
    "keydesk_verification_batch_requests", "Verifications that shared one read and one write.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
REQUESTS: Final = Counter("keydesk_requests", "Requests to the dashboard and to GraphQL, by status.", ["face", "status"])
STREAMS: Final = Gauge("keydesk_streams_open", "Open live pages, subscriptions and WebSockets.", ["kind"], multiprocess_mode="sum")
ADDRESSES_UNREADABLE: Final = Counter(
    "keydesk_addresses_unreadable", "Requests whose X-Forwarded-For held no address where one belongs; it counts as unknown."
)
CLOCK_SET_BACK: Final = Counter("keydesk_clock_set_back", "Times the database's clock went back by more than a minute.")
NEWEST_AHEAD: Final = Gauge(
    "keydesk_newest_instant_ahead_seconds",
    "How far the newest instant in the database lies ahead of its clock; 0 is right.",
    multiprocess_mode="max",
)


def with_request_metrics(face: str, app: App) -> App:
    """Wraps the application and counts its responses."""

    def count(message: Message) -> Message:
        REQUESTS.labels(face, str(message["status"])).inc()
        return message

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, at_start(send, count))

    return counted
