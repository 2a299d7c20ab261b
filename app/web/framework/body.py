"""Request and response bodies: reads forms within limits, and answers HEAD without a body."""

from __future__ import annotations

from typing import Any, Final

from app import bodies
from app.asgi import Receive, Scope, Send, header
from app.web.framework.form import Form, TooLarge, TooSlow, Unreadable

BODY_LIMIT: Final = 64 * 1024


async def read_form(scope: Scope, receive: Receive) -> Form:
    """Reads a form from the request's body. Raises TooLarge, TooSlow, Unreadable.

    Litestar's `Request.form()` has no deadline and no limit of fields, and replaces bytes that are not UTF-8, also in passwords.
    """
    try:
        return Form.parse(await bodies.read_body(receive, header(scope, b"content-length").encode("latin-1"), BODY_LIMIT))
    except bodies.BodyTooLarge:
        raise TooLarge from None
    except bodies.BodyTimeout:
        raise TooSlow from None
    except bodies.ClientGone:
        raise Unreadable from None


def after_body(receive: Receive) -> Receive:
    """A `receive` for after the body was read: an empty body, then the real messages, such as a disconnect."""
    sent = False

    async def receive_after() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive_after


def without_body(send: Send) -> Send:
    """A `send` for HEAD, which Litestar answers with 405: it stops where the body begins, also for an endless response."""

    async def send_head(message: Any) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
