"""Bodies of requests and answers: forms read with a limit, and what is left of an answer to HEAD."""

from __future__ import annotations

from typing import Any, Final

from app import bodies
from app.web.form import Form, TooLarge, TooSlow, Unreadable
from app.web.gate import Receive, Scope, Send, header

BODY_LIMIT: Final = 64 * 1024


async def read_form(scope: Scope, receive: Receive) -> Form:
    """Raises TooLarge, TooSlow, Unreadable."""
    try:
        return Form.parse(await bodies.read_body(receive, header(scope, b"content-length").encode("latin-1"), BODY_LIMIT))
    except bodies.BodyTooLarge:
        raise TooLarge from None
    except bodies.BodyTimeout:
        raise TooSlow from None
    except bodies.ClientGone:
        raise Unreadable from None


def after_body(receive: Receive) -> Receive:
    """The body was read before: an empty one, and then what really comes, such as the browser's hanging up."""
    told = False

    async def receive_after() -> Any:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive_after


def without_body(send: Send) -> Send:
    """For HEAD: it ends where the body begins, also that of an answer without end."""

    async def send_head(message: Any) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
