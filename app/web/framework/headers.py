"""Security headers of every response to a browser (OWASP ASVS 5.0, 3.4)."""

from __future__ import annotations

from typing import Final

from app.asgi import NO_STORE, Message, Send, at_start, send_text

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
    NO_STORE,
)
_HSTS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


def with_security_headers(send: Send, *, https: bool) -> Send:
    """Adds each header that a response does not set itself: a page may have its own policy, a static file its own caching."""
    added = (*_ALWAYS, _HSTS) if https else _ALWAYS

    def secured(message: Message) -> Message:
        own = [(name.lower(), value) for name, value in message["headers"]]
        names = {name for name, _ in own}
        return {**message, "headers": [*own, *((name, value) for name, value in added if name not in names)]}

    return at_start(send, secured)


async def refuse_host(send: Send) -> None:
    """Answers 421: the host name is not ours."""
    await send_text(send, 421, "This address does not belong to this Keydesk. Set KEYDESK_PUBLIC_URL to the one people use.\n")
