"""Responses for a verdict: JSON for `/v1/verify`, a status with headers for `/v1/forward-auth`."""

from __future__ import annotations

from typing import Any, Final

from app.asgi import Header
from app.clock import rfc3339
from app.verification.answers import Accepted, Denied, KeyItself, KeyNotice
from app.verification.deprecation import Notice
from app.verification.http import CHALLENGE, Refused
from app.verification.verdict import MESSAGES, AccessRequest, Code, KeyRecord, Verdict

_NAMES: Final = dict(zip(Denied.__struct_fields__, Denied.__struct_encode_fields__, strict=True))
# The request is not counted yet: the gateway that logs its outcome has to report it.
OUTCOME_FOLLOWS: Final = (b"x-outcome-follows", b"true")
FORBIDDEN: Final = frozenset({Code.IP_NOT_ALLOWED, Code.ENVIRONMENT_NOT_ALLOWED, Code.PERMISSION_DENIED})


def as_answer(verdict: Verdict, asked: AccessRequest, request_id: str) -> Accepted | Denied:
    """The body of `/v1/verify`'s 200."""
    key, code = verdict.key, verdict.code
    if verdict.valid and key is not None:
        whose = (key.id, key.workspace_id, key.workspace, key.name, key.environment, key.permissions)
        return Accepted(True, code, *whose, _instant(key.expires_at), _notice(verdict.notice), request_id)
    reasons = explanation(verdict, asked)
    return Denied(valid=False, code=code, message=MESSAGES[code], **reasons, request_id=request_id)


def as_self(key: KeyRecord, notice: Notice | None, request_id: str) -> KeyItself:
    """The body of `/v1/self`'s 200: what a valid key may do, for its holder."""
    whose = (key.id, key.workspace_id, key.workspace, key.name, key.environment, key.permissions, key.allowed_ips)
    return KeyItself(*whose, _instant(key.expires_at), _notice(notice), request_id)


def _notice(notice: Notice | None) -> KeyNotice | None:
    if notice is None:
        return None
    return KeyNotice(notice.kind, notice.message, rfc3339(notice.since), _instant(notice.sunset))


def notice_headers(verdict: Verdict) -> list[Header]:
    """Headers of the deprecation notice, for the caller's own code; empty if the key has no notice."""
    return [] if verdict.notice is None else verdict.notice.headers


def explanation(verdict: Verdict, asked: AccessRequest) -> dict[str, Any]:
    """The owner of the key and the reason for the denial, as fields of Denied; empty for an unknown key."""
    key = verdict.key
    if key is None:
        return {}
    return {"key_id": key.id, "workspace_id": key.workspace_id, **_reason(verdict.code, key, asked)}


def _reason(code: Code, key: KeyRecord, asked: AccessRequest) -> dict[str, Any]:
    match code:
        case Code.REVOKED:
            return {"revoked_at": _instant(key.revoked_at)}
        case Code.EXPIRED:
            return {"expires_at": _instant(key.expires_at)}
        case Code.SUSPENDED:
            return {"suspended_at": _instant(key.suspended_at)}
        case Code.PERMISSION_DENIED:
            return {"missing_permission": asked.permission}
        case _:
            return {}


def as_headers(key: KeyRecord, request_id: str, follows: bool) -> list[Header]:
    """The headers of `/v1/forward-auth`'s 204, for the gateway to forward or to log."""
    return [
        (b"x-request-id", request_id.encode()),
        (b"x-key-id", key.id.encode()),
        (b"x-workspace-id", key.workspace_id.encode()),
        (b"x-key-environment", key.environment.encode()),
        (b"x-key-permissions", " ".join(key.permissions).encode()),
        *([OUTCOME_FOLLOWS] if follows else []),
    ]


def as_refusal(verdict: Verdict, asked: AccessRequest, request_id: str) -> Refused:
    """401 or 403 of `/v1/forward-auth`, with the challenge of RFC 6750 §3."""
    forbidden = verdict.code in FORBIDDEN
    challenge = CHALLENGE + (b', error="insufficient_scope"' if forbidden else b', error="invalid_token"')
    if verdict.code is Code.PERMISSION_DENIED and asked.permission is not None:
        challenge += b', scope="' + asked.permission.encode() + b'"'
    header = (b"www-authenticate", challenge)
    status, message = 403 if forbidden else 401, MESSAGES[verdict.code]
    more = {_NAMES[field]: value for field, value in explanation(verdict, asked).items()}
    return Refused(status, verdict.code, message, header, request_id=request_id, **more)


def _instant(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)
