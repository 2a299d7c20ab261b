"""`POST /v1/leaks`: GitHub's secret scanning partner program. A bare ASGI application, apart from verification."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from app.asgi import Receive, Scope, Send
from app.leaks import service, signature
from app.leaks.key_set import KeySet
from app.verification.answers import LeakLabel
from app.verification.failures import send_failure, wrong_method
from app.verification.http import Refused, read_body, send_json
from app.verification.network_limit import NetworkLimit

BODY_LIMIT: Final = 2 * 1024 * 1024
# GitHub reports in batches. Each network has its own limit, so that nobody can use up GitHub's.
LIMIT: Final = 120
_IDENTIFIER: Final = b"github-public-key-identifier"
_SIGNATURE: Final = b"github-public-key-signature"


class ReportedMatch(msgspec.Struct):
    """An entry of GitHub's report; fields that may be added later are ignored."""

    token: str
    type: str
    url: str = ""
    source: str = ""


_report: Final = msgspec.json.Decoder(list[ReportedMatch])


class LeakReports:
    """The application. `network`: the network of a request, for the limit."""

    def __init__(self, source: str, configured: tuple[str, ...], network: Callable[[Mapping[str, Any]], str]) -> None:
        self._keys, self._configured, self._network = KeySet(source), configured, network
        self._limit = NetworkLimit(LIMIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._take(scope, receive, send)
        except Exception as failure:
            await send_failure(send, failure)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise wrong_method("POST")
        headers = dict(scope["headers"])
        if _IDENTIFIER not in headers or _SIGNATURE not in headers:
            raise Refused(404, "NOT_FOUND", "There is nothing here.")
        # Before the body is read.
        self._limit.count(self._network(scope))
        body = await read_body(receive, headers, BODY_LIMIT)
        key = await self._keys.find(headers[_IDENTIFIER].decode("latin-1"))
        # The same answer for an unknown key as for a wrong signature: who cannot sign learns nothing.
        if key is None or not signature.is_valid(key, headers[_SIGNATURE], body):
            raise Refused(400, "BAD_REQUEST", "The signature is not valid.")
        matches = _matches(body)
        ours = await service.report([service.Match(each.token, each.url) for each in matches], self._configured)
        await send_json(send, 200, [_label(each, ours) for each in matches], [])


def _matches(body: bytes) -> list[ReportedMatch]:
    """Raises Refused (400); never with the decoder's message, which may repeat a secret."""
    try:
        return _report.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "BAD_REQUEST", "The body is not a list of matches.") from None


def _label(match: ReportedMatch, ours: set[str]) -> LeakLabel:
    """GitHub's feedback. The token is named by its digest, so that no log of answers contains it."""
    label = "true_positive" if match.token in ours else "false_positive"
    digest = hashlib.sha256(match.token.encode("utf-8", "surrogatepass")).hexdigest()
    return LeakLabel(digest, match.type, label)
