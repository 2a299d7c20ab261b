"""`/v1/*`: a bare ASGI application in front of the router."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from app import catalogue
from app.asgi import NO_STORE, Receive, Scope, Send, send_response
from app.errors import ValidationFailed
from app.peppers import service as peppers
from app.settings import Network, Settings
from app.throttling.service import network_of
from app.usage import log as usage_log
from app.usage import reports
from app.verification import requests, responses
from app.verification.batch import Batches
from app.verification.client_address import client_address, forwarded_address
from app.verification.failures import send_failure, unauthorised, wrong_method
from app.verification.http import Refused, new_request_id, read_body, send_json
from app.verification.network_limit import NetworkLimit
from app.verification.verdict import AccessRequest, Code, Verdict

VERIFY_LIMIT: Final = 64 * 1024
USAGE_LIMIT: Final = 1024 * 1024
SELF: Final = "/v1/self"
# A minute, for each network: callers of `/v1/self` have no gateway token.
SELF_LIMIT: Final = 120
NO_KEY: Final = "Send the API key: X-API-Key, or Authorization: Bearer."
_MISSING_TOKEN: Final = "Send the gateway token: Authorization: Bearer fl_gate_…"

Handler = Callable[[Scope, Receive, Send, dict[bytes, bytes]], Awaitable[None]]


class Verification:
    """The application; call `open` and `close` in the server's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.gateway_tokens
        self._trusted: tuple[Network, ...] = settings.trusted_proxies
        self._limit = NetworkLimit(SELF_LIMIT)
        self._routes: dict[str, tuple[Handler, str | None]] = {
            "/v1/verify": (self._verify, "POST"),
            "/v1/forward-auth": (self._forward_auth, None),
            "/v1/usage": (self._usage, "POST"),
            SELF: (self._self, "GET"),
        }

    async def open(self) -> None:
        log = usage_log.current()
        await log.open()
        self._batches = Batches(log, peppers.current(), self._tokens)

    async def close(self) -> None:
        await self._batches.close()

    async def fault(self) -> str | None:
        """Why this node cannot verify; None if it can."""
        return await self._batches.fault()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            handler, method = self._routes.get(scope["path"]) or _unknown()
            if method not in (None, scope["method"]):
                raise wrong_method(method)
            await handler(scope, receive, send, requests.headers_of(scope))
        except Exception as failure:
            await send_failure(send, failure)

    async def _verify(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        token, offered = _token(requests.bearer(headers.get(b"authorization"))), catalogue.current()
        try:
            if scope["query_string"]:
                raise requests.invalid("UNKNOWN_PARAMETER", "/v1/verify takes no parameters in the address.")
            body = await read_body(receive, headers, VERIFY_LIMIT)
            given = requests.verify_request(body)
            asked = AccessRequest(given.permission, given.environment, requests.address_of(given.ip), given.user_agent)
            if not requests.are_offered(asked, offered):
                await self._check_names(token, asked)
        except Refused:
            await self._batches.authenticate(token)  # unauthenticated callers do not learn what is wrong with their request
            raise
        secret, request_id = requests.secret_of(given.key, offered), new_request_id()
        verdict = await self._batches.ask(token, secret, asked, follows=given.outcome_follows, request_id=request_id)
        await send_json(send, 200, responses.as_answer(verdict, asked, request_id), responses.notice_headers(verdict))

    async def _forward_auth(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        given = headers.get(b"x-gateway-token")
        token, offered = _token(requests.text_of(given) if given is not None else None), catalogue.current()
        try:
            address = forwarded_address(headers.get(b"x-forwarded-for"), self._trusted)
            permission, environment, follows = requests.query_of(scope)
            asked = AccessRequest(permission, environment, address, requests.user_agent_of(headers))
            if not requests.are_offered(asked, offered):
                await self._check_names(token, asked)
            key = requests.presented_key(headers)
            if key is None:
                raise unauthorised(NO_KEY)
        except Refused:
            await self._batches.authenticate(token)
            raise
        secret, request_id = requests.secret_of(key, offered), new_request_id()
        verdict = await self._batches.ask(token, secret, asked, follows=follows, request_id=request_id)
        if not verdict.valid or verdict.key is None:
            raise responses.as_refusal(verdict, asked, request_id)
        headers_of_key = responses.as_headers(verdict.key, request_id, follows)
        await send_response(send, 204, [NO_STORE, *headers_of_key, *responses.notice_headers(verdict)])

    async def _usage(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        gateway = await self._batches.authenticate(_token(requests.bearer(headers.get(b"authorization"))))
        if scope["query_string"]:
            raise requests.invalid("UNKNOWN_PARAMETER", "/v1/usage takes no parameters in the address.")
        body = await read_body(receive, headers, USAGE_LIMIT)
        report = requests.usage_request(body)
        try:
            answer = await reports.take(gateway.id, gateway.workspace_id, report.batch_id, requests.events_of(report))
        except ValidationFailed as refusal:
            raise requests.invalid("BAD_REQUEST", refusal.message) from None
        await send_json(send, 200, answer, [])

    async def _self(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        """What a key may do, for its own holder, who has no gateway token."""
        address = client_address(scope, self._trusted)
        self._limit.count(network_of(address or ""))
        if scope["query_string"]:
            raise requests.invalid("UNKNOWN_PARAMETER", "/v1/self takes no parameters in the address. Send the key in a header.")
        key = requests.presented_key(headers)
        if key is None:
            raise unauthorised(NO_KEY)
        asked = AccessRequest(address=address, user_agent=requests.user_agent_of(headers))
        secret, request_id = requests.secret_of(key, catalogue.current()), new_request_id()
        if secret is None:  # nobody can make the database work with text that is not a key
            raise responses.as_refusal(Verdict(Code.MALFORMED), asked, request_id)
        verdict = await self._batches.ask(None, secret, asked, follows=False, request_id=request_id)
        if not verdict.valid or verdict.key is None:
            raise responses.as_refusal(verdict, asked, request_id)
        await send_json(send, 200, responses.as_self(verdict.key, verdict.notice, request_id), responses.notice_headers(verdict))

    async def _check_names(self, token: str, asked: AccessRequest) -> None:
        """Names that are not offered need a database query, which unauthenticated callers must not cause."""
        await self._batches.authenticate(token)
        await requests.check_names(asked)


def _unknown() -> NoReturn:
    raise Refused(404, "NOT_FOUND", "There is /v1/verify, /v1/forward-auth, /v1/usage and /v1/self.")


def _token(given: str | None) -> str:
    if not given:
        raise unauthorised(_MISSING_TOKEN)
    return given
