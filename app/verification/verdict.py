"""The verdict on one request, as a pure function of the request, the stored key and the time."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from app.keys.networks import is_allowed
from app.verification.deprecation import Notice, Rotating, notice


class Code(StrEnum):
    """In order of precedence."""

    MALFORMED = "MALFORMED"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    SUSPENDED = "SUSPENDED"
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    ENVIRONMENT_NOT_ALLOWED = "ENVIRONMENT_NOT_ALLOWED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    VALID = "VALID"


_PRECEDENCE: Final = {code: number for number, code in enumerate(Code)}
MESSAGES = {
    Code.MALFORMED: "This is not an API key: it is cut short, mistyped, has white space or a line end in it, or is something else.",
    Code.NOT_FOUND: "There is no such API key.",
    Code.REVOKED: "This API key was revoked.",
    Code.EXPIRED: "This API key has expired.",
    Code.SUSPENDED: "This API key is suspended.",
    Code.IP_NOT_ALLOWED: "This API key may not be used from this address.",
    Code.ENVIRONMENT_NOT_ALLOWED: "This API key belongs to another environment.",
    Code.PERMISSION_DENIED: "This API key does not have the permission this request needs.",
    Code.VALID: "This API key is good for this request.",
}


class AccessRequest(msgspec.Struct, frozen=True, gc=False):
    """The access that is requested; `address` as `parse_address` formats it, None if unknown. The user agent, which clients
    choose freely, does not affect the verdict."""

    permission: str | None = None
    environment: str | None = None
    address: str | None = None
    user_agent: str | None = None


class KeyRecord(msgspec.Struct, frozen=True, gc=False):
    """A stored key with its workspace. Instants in microseconds."""

    id: str
    workspace_id: str
    workspace: str
    name: str
    environment: str
    permissions: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    expires_at: int | None
    suspended_at: int | None
    revoked_at: int | None
    pepper_version: int
    rotating: Rotating | None = None
    logs_requests: bool = False


class Gateway(msgspec.Struct, frozen=True, gc=False):
    """The gateway that sent the request: a token, possibly bound to one workspace or environment. Tokens of the settings have no
    pepper version."""

    id: str
    workspace_id: str | None = None
    environment: str | None = None
    pepper_version: int | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """`key` is None if the key is unknown or not visible to this gateway; only a valid one has a `notice`."""

    code: Code
    key: KeyRecord | None = None
    notice: Notice | None = None

    @property
    def valid(self) -> bool:
        return self.code is Code.VALID


def evaluate(asked: AccessRequest, key: KeyRecord | None, gateway: Gateway, now: int) -> Verdict:
    """The first code that applies, in the order of `Code`; the format of the key was checked before."""
    if key is None or gateway.workspace_id not in (None, key.workspace_id):
        return Verdict(Code.NOT_FOUND)
    code = _code(asked, key, gateway, now)
    return Verdict(code, key, notice(key.rotating, key.expires_at, now) if code is Code.VALID else None)


def strictest(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a secret with several keys: what one of them refuses is refused."""
    return min(verdicts, key=lambda verdict: _PRECEDENCE[verdict.code])


def _code(asked: AccessRequest, key: KeyRecord, gateway: Gateway, now: int) -> Code:
    if key.revoked_at is not None:
        return Code.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return Code.EXPIRED
    if key.suspended_at is not None:
        return Code.SUSPENDED
    if key.allowed_ips and not is_allowed(asked.address, key.allowed_ips):
        return Code.IP_NOT_ALLOWED
    if asked.environment not in (None, key.environment) or gateway.environment not in (None, key.environment):
        return Code.ENVIRONMENT_NOT_ALLOWED
    if asked.permission is not None and asked.permission not in key.permissions:
        return Code.PERMISSION_DENIED
    return Code.VALID
