"""Refusals of requests: a status, an RFC 9457 body, and an RFC 6750 challenge."""

from __future__ import annotations

import json
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Self

from keydesk_client.asgi import Scope, Send
from keydesk_client.credential import BadCredential
from keydesk_client.verdict import Verdict

CHALLENGE: Final = 'Bearer realm="api"'
_DENIAL: Final = "websocket.http.response"


class Refusal(Exception):
    """The request may not pass. `more` contains additional members of the body; members that are None are left out."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self._headers, self._more = headers or {}, more

    @classmethod
    def closed(cls) -> Self:
        return cls(403, "ROUTE_CLOSED", "Nothing here is open to API keys by this method and path.")

    @classmethod
    def without_key(cls) -> Self:
        """No error code for a request without credentials (RFC 6750 section 3.1)."""
        return cls(401, "KEY_MISSING", "Send an API key: X-API-Key, or Authorization: Bearer.", {"www-authenticate": CHALLENGE})

    @classmethod
    def bad_credential(cls, error: BadCredential) -> Self:
        reason = "invalid_request" if error.status == 400 else "invalid_token"
        return cls(error.status, error.code, error.message, _challenge(reason))

    @classmethod
    def denied(cls, verdict: Verdict) -> Self:
        reason = "invalid_token" if verdict.status == 401 else "insufficient_scope"
        return cls(
            verdict.status,
            verdict.code,
            verdict.message,
            _challenge(reason, verdict.missing_permission),
            instance=f"urn:keydesk:request:{verdict.request_id}" if verdict.request_id else None,
            keyId=verdict.key_id,
            workspaceId=verdict.workspace_id,
            missingPermission=verdict.missing_permission,
            revokedAt=_instant(verdict.revoked_at),
            expiresAt=_instant(verdict.expires_at),
            suspendedAt=_instant(verdict.suspended_at),
        )

    @classmethod
    def unavailable(cls, retry_after_seconds: int) -> Self:
        """There is no verdict, so never 401: a caller that gets a 401 may discard a valid key."""
        detail = "API keys cannot be checked right now. Please try again."
        return cls(503, "KEYS_UNAVAILABLE", detail, {"retry-after": str(retry_after_seconds)})

    async def send(self, scope: Scope, send: Send) -> None:
        """Sends a response; for a WebSocket before its handshake, if the server supports that."""
        is_websocket = scope["type"] == "websocket"
        if is_websocket and _DENIAL not in (scope.get("extensions") or {}):
            # Without this extension, servers answer a close before the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": self.code})
            return
        kind = _DENIAL if is_websocket else "http.response"
        body = json.dumps(self._problem()).encode()
        await send({"type": f"{kind}.start", "status": self.status, "headers": self._header_lines(len(body))})
        await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})

    def _problem(self) -> dict[str, Any]:
        problem = {
            "type": f"urn:keydesk:problem:{self.code.lower().replace('_', '-')}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return problem | {name: value for name, value in self._more.items() if value is not None}

    def _header_lines(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = {
            "content-type": "application/problem+json",
            "content-length": str(length),
            "cache-control": "no-store",
            **self._headers,
        }
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _challenge(error: str, scope: str | None = None) -> dict[str, str]:
    wanted = f', scope="{scope}"' if scope else ""
    return {"www-authenticate": f'{CHALLENGE}, error="{error}"{wanted}'}


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
