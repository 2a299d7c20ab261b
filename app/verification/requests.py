"""Validates requests to `/v1/*`, so that a mistake is a 400 and never grants access."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from app.catalogue import Catalogue
from app.keys.foreign import foreign
from app.keys.known_names import is_environment_known, is_permission_known
from app.keys.networks import parse_address
from app.keys.secret import PATTERN, class_of, mask_secrets
from app.usage import reports
from app.usage.reports import Event, Fault, no_permission
from app.verification.http import CHALLENGE, Refused
from app.verification.verdict import AccessRequest

T = TypeVar("T")
INVALID_REQUEST: Final = (b"www-authenticate", CHALLENGE + b', error="invalid_request"')
_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"x-gateway-token"})
_WHITE_SPACE: Final = b" \t"  # optional white space of HTTP, which is not part of a value (RFC 9110 section 5.6.3)
_LONGEST_REASON: Final = 200
MOST_EVENTS: Final = 1_000
_LONGEST_KNOWN_QUERY: Final = 200
_QUERY: Final = frozenset({"permission", "environment", "outcomeFollows"})
_BOOLEANS: Final = {"true": True, "false": False, None: False}


class VerifyRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of `POST /v1/verify`."""

    key: str
    permission: str | None = None
    environment: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    outcome_follows: bool = False


class UsageEvent(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One request a service has answered; `at` is RFC 3339 with an offset, `status` the HTTP status it gave."""

    key_id: str
    at: str
    status: int
    permission: str | None = None
    ip: str | None = None
    user_agent: str | None = None


class UsageRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of `POST /v1/usage`: events are decoded one by one, so that an invalid one does not affect the others."""

    batch_id: str
    events: list[msgspec.Raw]


_verify_request: Final = msgspec.json.Decoder(VerifyRequest)
_usage_request: Final = msgspec.json.Decoder(UsageRequest)
_usage_event: Final = msgspec.json.Decoder(UsageEvent)


def verify_request(body: bytes) -> VerifyRequest:
    """Raises Refused (400), also for a duplicate name: it would be ambiguous which of the two is meant."""
    given = decoded(body, _verify_request)
    # A name has two quotes and a text two more: without further quotes no name can occur twice (0.4 µs).
    texts = 5 - (given.permission, given.environment, given.ip, given.user_agent).count(None)
    if body.count(b'"') != 4 * texts + 2 * given.outcome_follows:
        json.loads(body, object_pairs_hook=require_once)
    return given


def require_once(pairs: list[tuple[str, Any]]) -> None:
    """For the `object_pairs_hook` of `json.loads`. Raises Refused (400) for a repeated name."""
    names = [name for name, _ in pairs]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise invalid("REPEATED_NAME", f"The name {repeated[0]} is given twice.")


def usage_request(body: bytes) -> UsageRequest:
    return decoded(body, _usage_request)


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises Refused (400) with the path and the reason; never with the value, which may be a secret."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("BAD_REQUEST", f"The body is not what was expected: {_decoder_message(error)}") from None


def invalid(code: str, detail: str, **more: Any) -> Refused:
    """A 400 with the error code of RFC 6750 §3.1."""
    return Refused(400, code, detail, INVALID_REQUEST, **more)


def _decoder_message(error: Exception) -> str:
    """The message of a decoder, redacted: it repeats unknown names, and a name may be a secret or very long."""
    if isinstance(error, UnicodeDecodeError):
        return "The text is not UTF-8."
    if isinstance(error, RecursionError):
        return "It is nested too deeply."
    return mask_secrets(str(error))[:_LONGEST_REASON]


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """By lower-case name. Several `X-Forwarded-For` lines are one list; a duplicate credential is refused (400)."""
    lines = scope["headers"]
    found: dict[bytes, bytes] = dict(lines)
    return found if len(found) == len(lines) else _joined(lines)


def _joined(lines: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in lines:
        if name in found and name in _CREDENTIALS:
            raise invalid("REPEATED_HEADER", f"The header {name.decode('latin-1')} is given twice.")
        found[name] = found[name] + b"," + value if name in found else value
    return found


def bearer(value: bytes | None) -> str | None:
    """The token of an `Authorization: Bearer …` header, without white space around it; None for no header or another scheme."""
    if value is None or value[:7].lower() != b"bearer ":
        return None
    return text_of(value[7:].strip(_WHITE_SPACE))


def text_of(value: bytes) -> str:
    """A header's value as text; invalid UTF-8 never equals valid text."""
    return value.decode("utf-8", "surrogateescape")


def user_agent_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The user agent of the original request, which gateways forward unchanged."""
    value = headers.get(b"user-agent")
    return value.decode("latin-1") if value is not None else None


def secret_of(text: str, offered: Catalogue) -> str | None:
    """The text if it is a well-formed API key of this installation, or may be an imported one; None for anything else, which is not
    looked up."""
    return text if class_of(text, offered.prefixes) is not None else foreign(text, offered.prefixes)


def presented_key(headers: Mapping[bytes, bytes]) -> str | None:
    """`X-API-Key`, else the Bearer token, which next to an `X-API-Key` is often a JWT. Raises Refused (400) for two keys."""
    own, other = headers.get(b"x-api-key"), bearer(headers.get(b"authorization"))
    text = own.strip(_WHITE_SPACE).decode("latin-1") if own is not None else ""
    if not text:  # an SDK with an unset variable sends an empty one, which counts as absent
        return other or None
    if other is not None and other != text and PATTERN.fullmatch(other) and PATTERN.fullmatch(text):
        detail = "X-API-Key and Authorization hold two different keys."
        raise invalid("TWO_KEYS", detail)
    return text


def query_of(scope: Mapping[str, Any]) -> tuple[str | None, str | None, bool]:
    """`permission`, `environment` and `outcomeFollows`, each at most once; anything else is refused, a key with a hint."""
    raw = scope["query_string"]
    if not raw:
        return None, None, False
    return _parsed(raw) if len(raw) <= _LONGEST_KNOWN_QUERY else _parsed.__wrapped__(raw)


@lru_cache(maxsize=256)
def _parsed(raw: bytes) -> tuple[str | None, str | None, bool]:
    """Cached, because the text is part of the gateway's configuration. Errors are not cached."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if PATTERN.search(value) or PATTERN.search(name):
            raise invalid("KEY_IN_QUERY", "Send the key in a header: addresses end up in logs.")
        if name not in _QUERY:
            raise invalid(
                "UNKNOWN_PARAMETER",
                f"There is no parameter {mask_secrets(name)[:40]!r}; there are permission, environment and outcomeFollows.",
            )
        if name in found:
            raise invalid("REPEATED_PARAMETER", f"The parameter {name} is given twice.")
        found[name] = value
    follows = found.get("outcomeFollows")
    if follows not in _BOOLEANS:
        raise invalid("BAD_REQUEST", "`outcomeFollows` is true or false.")
    return found.get("permission"), found.get("environment"), _BOOLEANS[follows]


def are_offered(asked: AccessRequest, offered: Catalogue) -> bool:
    """Whether the catalogue has both names."""
    return (asked.permission is None or asked.permission in offered.permissions) and (
        asked.environment is None or asked.environment in offered.environments
    )


async def check_names(asked: AccessRequest) -> None:
    """Raises Refused (400) for unknown names: a typo must not look like a denial, let alone be allowed."""
    if asked.permission is not None and not await is_permission_known(asked.permission):
        raise invalid("UNKNOWN_PERMISSION", no_permission(asked.permission))
    if asked.environment is not None and not await is_environment_known(asked.environment):
        raise invalid("UNKNOWN_ENVIRONMENT", f"There is no environment {mask_secrets(asked.environment)[:60]!r}.")


def address_of(text: str | None) -> str | None:
    """Raises Refused (400) for text that is not an address."""
    try:
        return parse_address(text) if text is not None else None
    except ValueError as error:
        raise invalid("BAD_REQUEST", str(error)) from None


def events_of(report: UsageRequest) -> list[Event | Fault]:
    """The events of a report, each decoded separately: a Fault for one that cannot be. Raises Refused (400) for too many."""
    if len(report.events) > MOST_EVENTS:
        raise invalid("BAD_REQUEST", f"A batch has {MOST_EVENTS} events at most.")
    return [_event(raw) for raw in report.events]


def _event(raw: msgspec.Raw) -> Event | Fault:
    try:
        given = _usage_event.decode(raw)
        address = parse_address(given.ip) if given.ip is not None else None
        at = reports.parse_instant(given.at)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        return Fault("INVALID_EVENT", _decoder_message(error))
    return Event(given.key_id, at, given.status, given.permission, address, given.user_agent)
