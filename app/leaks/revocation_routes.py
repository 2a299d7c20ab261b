"""`POST /v1/self/revocation`: anyone who holds a whole secret may end it. A bare ASGI application, apart from verification."""

from __future__ import annotations

from typing import Final

from app.access.actor import Request
from app.asgi import Receive, Scope, Send
from app.errors import NotAllowed
from app.keys import queries as keys
from app.leaks import service
from app.leaks.revocation_request import revocation_request
from app.settings import Settings
from app.throttling.service import network_of
from app.verification import requests, responses
from app.verification.answers import Ended
from app.verification.client_address import client_address
from app.verification.failures import send_failure, unauthorised, wrong_method
from app.verification.http import Refused, new_request_id, read_body, send_json
from app.verification.network_limit import NetworkLimit
from app.verification.routes import NO_KEY
from app.verification.verdict import AccessRequest, Code, Verdict

BODY_LIMIT: Final = 16 * 1024
# A minute, for each network: a finder has one key, or a handful.
LIMIT: Final = 30
# True of a secret that was never valid too: only who holds a whole secret can learn that it was.
ENDED: Final = "Nothing here can be opened with this secret any more."


class SelfRevocation:
    """The application."""

    def __init__(self, settings: Settings) -> None:
        self._trusted, self._configured = settings.trusted_proxies, settings.gateway_tokens
        self._limit = NetworkLimit(LIMIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._revoke(scope, receive, send)
        except Exception as failure:
            await send_failure(send, failure)

    async def _revoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise wrong_method("POST")
        address = client_address(scope, self._trusted)
        # Before the body is read.
        self._limit.count(network_of(address or ""))
        headers = requests.headers_of(scope)
        if scope["query_string"]:
            raise requests.invalid("UNKNOWN_PARAMETER", "There are no parameters in the address. Send the key in a header.")
        secret, request_id = requests.presented_key(headers), new_request_id()
        if secret is None:
            raise unauthorised(NO_KEY)
        given = revocation_request(await read_body(receive, headers, BODY_LIMIT))
        if not await keys.is_well_formed(secret):
            raise responses.as_refusal(Verdict(Code.MALFORMED), AccessRequest(), request_id)
        holder = service.holder(Request(address or "", requests.user_agent_of(headers) or "", request_id))
        try:
            await service.end(holder, secret, given.reason, given.note, self._configured)
        except NotAllowed as refusal:
            raise Refused(403, "NOT_ALLOWED", refusal.message, request_id=request_id) from None
        await send_json(send, 200, Ended(ENDED, request_id), [])
