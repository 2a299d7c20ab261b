"""HTTP client of Keydesk: verifies a key or reports a batch, with a time limit. Every failure is a `KeydeskError`."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final, Self

import httpx

from keydesk_client.credential import redact
from keydesk_client.errors import KeydeskRefused, KeydeskUnavailable
from keydesk_client.notice_log import NoticeLog
from keydesk_client.outcome import Batch, Receipt
from keydesk_client.verdict import Verdict

_REPORT_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_RETRY_AFTER_SECONDS: Final = 60
_LONGEST_DETAIL: Final = 300
# Keydesk is busy or not reachable now; a retry after any other refusal would be refused again.
_TEMPORARY: Final = frozenset({408, 425, 429})
_TOKEN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=5.0)
# Errors of a keep-alive connection that the other side closed at the same moment.
_CONNECTION_CLOSED: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class Keydesk:
    """A client for the Keydesk at `url` with a gateway `token`. Raises only KeydeskUnavailable and KeydeskRefused.

    The token is sent to that address only: the client follows no redirect and uses no proxy from the environment.
    """

    def __init__(
        self, url: str, token: str, *, timeout_seconds: float = 2.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Raises ValueError for an invalid address or token. `transport` is for a private CA, a Unix socket or a test."""
        self._url, self._token = _checked_url(url), _checked_token(token)
        self._timeout_seconds = timeout_seconds
        self._transport = transport
        self._notices = NoticeLog()
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"Keydesk({self._url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; a later call opens new ones."""
        http, self._http = self._http, None
        if http is not None and self._loop is asyncio.get_running_loop():
            await http.aclose()

    async def verify(
        self,
        key: str,
        *,
        permission: str | None = None,
        environment: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        outcome_follows: bool = False,
    ) -> Verdict:
        """May this request pass? With `outcome_follows` an allowed request is counted when its outcome is reported.

        Logs a key's notice, once a day.
        """
        fields = {"key": key, "permission": permission, "environment": environment, "ip": ip, "userAgent": user_agent}
        body = {name: value for name, value in fields.items() if value is not None}
        answer = await self._call("/v1/verify", body | {"outcomeFollows": outcome_follows}, self._timeout_seconds)
        try:
            verdict = Verdict.read(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise KeydeskUnavailable("what answered is no verdict of a Keydesk") from None
        if verdict.key is not None:
            self._notices.log(verdict.key)
        return verdict

    async def report(self, batch: Batch) -> Receipt:
        """Reports outcomes of requests. The same batch may be sent again until this returns: it counts once."""
        answer = await self._call("/v1/usage", batch.body(), max(self._timeout_seconds, _REPORT_TIMEOUT_SECONDS))
        try:
            return Receipt.read(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise KeydeskUnavailable("what answered is no receipt of a Keydesk") from None

    async def _call(self, path: str, body: dict[str, Any], timeout_seconds: float) -> Any:
        """Returns the JSON of a 200."""
        response = await self._response(path, body, timeout_seconds)
        if response.status_code != 200:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError:
            raise KeydeskUnavailable("what answered is no Keydesk: it speaks no JSON") from None

    async def _response(self, path: str, body: dict[str, Any], timeout_seconds: float) -> httpx.Response:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._post(path, body)
        # httpx raises RuntimeError for connections that were closed meanwhile.
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            failure = type(error).__name__
        # Raised outside of the handler: the original error and its text contain the request, and with it the key and the token.
        raise KeydeskUnavailable(f"no answer from keydesk ({failure})")

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        http, content = self._client(), json.dumps(body)
        try:
            return await http.post(path, content=content)
        except _CONNECTION_CLOSED:
            # A request without an answer was counted once or not at all, so a retry is safe: one, within the same time limit.
            return await http.post(path, content=content)

    def _client(self) -> httpx.AsyncClient:
        """The connections of the running loop. Those of a loop that has ended, as between two tests, ended with it."""
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            self._loop = loop
            self._http = httpx.AsyncClient(
                base_url=self._url,
                headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
                timeout=None,  # noqa: S113 - `_response` limits the total time
                transport=self._transport or httpx.AsyncHTTPTransport(limits=_LIMITS),
                trust_env=False,
            )
        return self._http


def _checked_url(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host or (parts.port or 0) > 65_535:
        raise ValueError("`url` is where Keydesk is, such as https://keys.example.com")
    if parts.userinfo or parts.query or parts.fragment:
        raise ValueError("`url` holds no user, password, query or fragment")
    return url.rstrip("/")


def _checked_token(token: str) -> str:
    """The message never shows the token: even a mistyped token is a secret."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token := token.strip()):
        raise ValueError("`token` is the gateway token that `keydesk gateway-token create` prints")
    return token


def _refusal(response: httpx.Response) -> KeydeskUnavailable | KeydeskRefused:
    status = response.status_code
    message = f"keydesk answered {status}{_detail(response)}"
    if status >= 500 or status in _TEMPORARY:
        return KeydeskUnavailable(message, retry_after_seconds=_retry_after(response))
    return KeydeskRefused(message, status=status)


def _retry_after(response: httpx.Response) -> int:
    text = response.headers.get("retry-after", "")
    return min(max(int(text[:6]), 1), _LONGEST_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else 1


def _detail(response: httpx.Response) -> str:
    """Keydesk's code and detail; empty if something other than Keydesk answered."""
    try:
        problem = response.json()
        return f": {redact(problem['code'] + ', ' + problem['detail'])[:_LONGEST_DETAIL]}"
    except (ValueError, TypeError, KeyError):
        return ""
