"""The headers of every answer people's browsers get (OWASP ASVS 5.0, 3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

Send = Callable[[Any], Awaitable[None]]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", POLICY.encode()),
    (b"cache-control", b"no-store"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


def securing(send: Send, *, https: bool) -> Send:
    """Adds to every answer what it does not say itself: a page may have its own policy, a static file its own cache."""
    added = (*_ALWAYS, _HSTS) if https else _ALWAYS

    async def send_secured(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower(), value) for name, value in message["headers"]]
            names = {name for name, _ in own}
            message = {**message, "headers": [*own, *((name, value) for name, value in added if name not in names)]}
        await send(message)

    return send_secured


async def refuse_host(send: Send) -> None:
    """421: this name is not ours."""
    body = b"This address does not belong to this Keydesk. Set KEYDESK_PUBLIC_URL to the one people use.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
