"""The bodies of the answers of `/v1/*`, as the code sends them and as OpenAPI describes them. Instants are RFC 3339 in UTC."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from app.verification.deprecation import Kind
from app.verification.verdict import Code


class KeyNotice(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The key will soon stop working; `sunset`: when, if that is known."""

    kind: Kind
    message: str
    since: str
    sunset: str | None


class Accepted(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The request may pass: `valid` is true."""

    valid: bool
    code: Code
    key_id: str
    workspace_id: str
    workspace: str
    name: str
    environment: str
    permissions: tuple[str, ...]
    expires_at: str | None
    notice: KeyNotice | None
    request_id: str


class Denied(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """The request may not pass: `valid` is false. Ids are present if the key is known, the others depending on the code."""

    valid: bool
    code: Code
    message: str
    key_id: str | UnsetType = UNSET
    workspace_id: str | UnsetType = UNSET
    revoked_at: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    suspended_at: str | UnsetType | None = UNSET
    missing_permission: str | UnsetType | None = UNSET
    request_id: str


class KeyItself(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What a valid key may do. `allowedIps`: the networks it may be used from, none for any."""

    key_id: str
    workspace_id: str
    workspace: str
    name: str
    environment: str
    permissions: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    expires_at: str | None
    notice: KeyNotice | None
    request_id: str


class Ended(msgspec.Struct, frozen=True, rename="camel"):
    """The secret opens nothing here any more, whether or not it ever did."""

    message: str
    request_id: str


class FieldFault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a body."""

    field: str
    code: str
    message: str


class RejectedEvent(msgspec.Struct, frozen=True):
    """Why the event at this index was not counted."""

    index: int
    code: str
    message: str


class UsageTaken(msgspec.Struct, frozen=True):
    """How many events were counted. `duplicate`: the batch had been counted before, and this is its first answer."""

    accepted: int
    rejected: list[RejectedEvent]
    duplicate: bool


class Problem(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """RFC 9457. `code` is stable, `instance` names the request. A denied key adds the fields of Denied that explain it;
    VALIDATION_FAILED adds `errors`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    key_id: str | UnsetType = UNSET
    workspace_id: str | UnsetType = UNSET
    revoked_at: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    suspended_at: str | UnsetType | None = UNSET
    missing_permission: str | UnsetType | None = UNSET
    errors: list[FieldFault] | UnsetType = UNSET


class LeakLabel(msgspec.Struct, frozen=True):
    """GitHub's feedback on one match: the SHA-256 of the token, and whether it is or was valid here."""

    token_hash: str
    token_type: str
    label: str
