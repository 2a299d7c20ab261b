"""The one place that maps the error tree to responses of `/v1/*`."""

from __future__ import annotations

import logging

from app.asgi import Send
from app.bodies import ClientGone
from app.errors import NotAuthenticated, Unavailable
from app.verification.http import CHALLENGE, Refused, new_request_id

INVALID_TOKEN = CHALLENGE + b', error="invalid_token"'
_log = logging.getLogger("keydesk.verification")


async def send_failure(send: Send, failure: Exception) -> None:
    """Answers a request that raised this; a client that has gone gets no answer."""
    match failure:
        case Refused():
            await failure.send(send)
        case ClientGone():
            return
        case NotAuthenticated():
            await unauthorised(failure.message, INVALID_TOKEN).send(send)
        case Unavailable():
            retry = (b"retry-after", b"%d" % failure.retry_after_seconds)
            await Refused(503, "UNAVAILABLE", failure.message, retry).send(send)
        case _:
            request_id = new_request_id()
            _log.error("request %s failed", request_id, exc_info=failure)
            detail = f"Something went wrong here. Mention {request_id}."
            await Refused(500, "INTERNAL", detail, request_id=request_id).send(send)


def unauthorised(message: str, challenge: bytes = CHALLENGE) -> Refused:
    """A 401 about the credential itself, with its challenge."""
    return Refused(401, "NOT_AUTHENTICATED", message, (b"www-authenticate", challenge))


def wrong_method(allowed: str) -> Refused:
    """A 405 that names the only method."""
    return Refused(405, "METHOD_NOT_ALLOWED", f"Use {allowed}.", (b"allow", allowed.encode()))
