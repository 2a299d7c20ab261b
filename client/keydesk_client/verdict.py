"""Keydesk's verdict on a key: frozen, and without the secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from keydesk_client.notice import Notice

# A valid key can get these three; every other refusal means that the key itself is not valid.
FORBIDDEN: Final = frozenset({"IP_NOT_ALLOWED", "ENVIRONMENT_NOT_ALLOWED", "PERMISSION_DENIED"})


@dataclass(frozen=True, slots=True)
class KeydeskKey:
    """The key of the current request. A handler gets it from `scope["keydesk"]`, or from `KeydeskKey.of(request)`.

    `notice`: set if the key works but is being replaced or expires soon.
    """

    id: str
    workspace_id: str
    workspace: str
    name: str
    environment: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None
    notice: Notice | None = None

    @classmethod
    def of(cls, request: Any) -> KeydeskKey:
        """The key of a Starlette, FastAPI or Litestar request or of an ASGI scope. Raises LookupError on a public route."""
        key = getattr(request, "scope", request).get("keydesk")
        if not isinstance(key, KeydeskKey):
            raise LookupError("this request has no key: its route is public, or no KeydeskMiddleware is around the app")
        return key

    def allows(self, permission: str) -> bool:
        """For a further check inside a handler; the route's own permission has already been checked."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer of `/v1/verify`: `key` is set if and only if the request may pass."""

    code: str
    message: str = ""
    request_id: str | None = None
    key: KeydeskKey | None = None
    key_id: str | None = None
    workspace_id: str | None = None
    missing_permission: str | None = None
    revoked_at: datetime | None = None
    expires_at: datetime | None = None
    suspended_at: datetime | None = None

    @property
    def valid(self) -> bool:
        return self.key is not None

    @property
    def status(self) -> int:
        """The HTTP status of a refusal: 403 for a valid key in the wrong context, otherwise 401."""
        return 403 if self.code in FORBIDDEN else 401

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError unless `answer` is a verdict; a valid one must have all fields."""
        if (valid := answer["valid"]) is not (answer["code"] == "VALID"):
            raise ValueError("neither valid nor refused")
        return cls(
            code=_text(answer, "code"),
            message=str(answer.get("message", "")),
            request_id=answer.get("requestId"),
            key=_read_key(answer) if valid else None,
            key_id=answer.get("keyId"),
            workspace_id=answer.get("workspaceId"),
            missing_permission=answer.get("missingPermission"),
            revoked_at=_instant(answer.get("revokedAt")),
            expires_at=_instant(answer.get("expiresAt")),
            suspended_at=_instant(answer.get("suspendedAt")),
        )


def _read_key(answer: Mapping[str, Any]) -> KeydeskKey:
    permissions, notice = answer["permissions"], answer.get("notice")
    if not isinstance(permissions, list) or not all(isinstance(name, str) for name in permissions):
        raise TypeError("permissions is a list of names")
    return KeydeskKey(
        id=_text(answer, "keyId"),
        workspace_id=_text(answer, "workspaceId"),
        workspace=_text(answer, "workspace"),
        name=_text(answer, "name"),
        environment=_text(answer, "environment"),
        permissions=tuple(permissions),
        expires_at=_instant(answer.get("expiresAt")),
        notice=None if notice is None else Notice.read(notice),
    )


def _text(answer: Mapping[str, Any], name: str) -> str:
    if not isinstance(value := answer[name], str):
        raise TypeError(f"{name} is a text")
    return value


def _instant(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
