"""What callers of `/v1/*` may send, checked so that a mistake is a 400 and never an open door."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from app import catalogue
from app.keys.secret import PATTERN, class_of, cut
from app.settings import Network
from app.usage import reports
from app.usage.reports import Event, Fault
from app.verification import store, unreadable
from app.verification.asgi import Refused
from app.verification.verify import Asked, parse_address

T = TypeVar("T")
CHALLENGE: Final = b'Bearer realm="keydesk"'
INVALID_REQUEST: Final = (b"www-authenticate", CHALLENGE + b', error="invalid_request"')
_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"x-gateway-token"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_WHITE_SPACE: Final = b" \t"  # that of HTTP, which is no part of a value (RFC 9110 section 5.6.3)
_LONGEST_REASON: Final = 200
_LONGEST_KNOWN_QUERY: Final = 200
_QUERY: Final = frozenset({"permission", "environment"})


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
    """The body of `POST /v1/usage`: events are decoded one by one, so that a bad one does not take the others with it."""

    batch_id: str
    events: list[msgspec.Raw]


_verify_request: Final = msgspec.json.Decoder(VerifyRequest)
_usage_request: Final = msgspec.json.Decoder(UsageRequest)
_usage_event: Final = msgspec.json.Decoder(UsageEvent)


def verify_request(body: bytes) -> VerifyRequest:
    """Refused 400 also where a name stands twice: whichever of the two counted, somebody would have meant the other."""
    given = _decoded(body, _verify_request)
    # A name has two quotes and a text two more: where there are no others, no name stands twice (0.4 µs).
    texts = 5 - (given.permission, given.environment, given.ip, given.user_agent).count(None)
    if body.count(b'"') != 4 * texts + 2 * given.outcome_follows:
        json.loads(body, object_pairs_hook=_require_once)
    return given


def _require_once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise invalid("REPEATED_NAME", f"The name {repeated[0]} is given twice.")


def usage_request(body: bytes) -> UsageRequest:
    return _decoded(body, _usage_request)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises Refused 400 with the place and the reason; never with the value, which may be a secret."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("BAD_REQUEST", f"The body is not what was expected: {_told(error)}") from None


def invalid(code: str, detail: str) -> Refused:
    """400 in the words of RFC 6750 §3.1."""
    return Refused(400, code, detail, INVALID_REQUEST)


def _told(error: Exception) -> str:
    """What a decoder says; it repeats unknown names, and a name may be a secret or very long."""
    if isinstance(error, UnicodeDecodeError):
        return "The text is not UTF-8."
    if isinstance(error, RecursionError):
        return "It is nested too deeply."
    return cut(str(error))[:_LONGEST_REASON]


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """By lower-case name. Several `X-Forwarded-For` lines are one list; a credential given twice is refused, 400."""
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
    """A header's value; what is not UTF-8 stays apart from everything that is."""
    return value.decode("utf-8", "surrogateescape")


def user_agent_of(headers: Mapping[bytes, bytes]) -> str | None:
    """That of the original request: gateways pass it on as it came."""
    value = headers.get(b"user-agent")
    return value.decode("latin-1") if value is not None else None


def secret_of(text: str) -> str | None:
    """The text if it is a well-formed API key of this installation; None for what is not even looked up."""
    return text if class_of(text, catalogue.current().prefixes) is not None else None


def presented_key(headers: Mapping[bytes, bytes]) -> str | None:
    """`X-API-Key`, else the Bearer token, which beside an `X-API-Key` is often somebody's JWT. Refused 400: two keys."""
    own, other = headers.get(b"x-api-key"), bearer(headers.get(b"authorization"))
    text = own.strip(_WHITE_SPACE).decode("latin-1") if own is not None else ""
    if not text:  # an SDK whose variable is not set sends an empty one: as if it were not there
        return other or None
    if other is not None and other != text and PATTERN.fullmatch(other) and PATTERN.fullmatch(text):
        detail = "X-API-Key and Authorization hold two different keys."
        raise invalid("TWO_KEYS", detail)
    return text


def query_of(scope: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """`permission` and `environment`, each at most once; anything else is refused, a key with a hint."""
    raw = scope["query_string"]
    if not raw:
        return None, None
    return _parsed(raw) if len(raw) <= _LONGEST_KNOWN_QUERY else _parsed.__wrapped__(raw)


@lru_cache(maxsize=256)
def _parsed(raw: bytes) -> tuple[str | None, str | None]:
    """The same for the same text, which is the gateway's own configuration: so it is parsed once. Refusals are not kept."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if PATTERN.search(value) or PATTERN.search(name):
            raise invalid("KEY_IN_QUERY", "Send the key in a header: addresses end up in logs.")
        if name not in _QUERY:
            raise invalid("UNKNOWN_PARAMETER", f"There is no parameter {cut(name)[:40]!r}; there are permission and environment.")
        if name in found:
            raise invalid("REPEATED_PARAMETER", f"The parameter {name} is given twice.")
        found[name] = value
    return found.get("permission"), found.get("environment")


def are_offered(asked: Asked) -> bool:
    """Whether the catalogue has both names."""
    offered = catalogue.current()
    return (asked.permission is None or asked.permission in offered.permissions) and (
        asked.environment is None or asked.environment in offered.environments
    )


async def check_names(asked: Asked) -> None:
    """Refused 400 for names nobody knows: a typing mistake must not look like a denial, let alone like a permission."""
    if asked.permission is not None and not await is_permission_known(asked.permission):
        raise invalid("UNKNOWN_PERMISSION", no_permission(asked.permission))
    if asked.environment is not None and not await is_environment_known(asked.environment):
        raise invalid("UNKNOWN_ENVIRONMENT", f"There is no environment {cut(asked.environment)[:60]!r}.")


async def is_permission_known(name: str) -> bool:
    """What left the catalogue is still known while some key holds it; that is asked each time, it is not remembered."""
    return name in catalogue.current().permissions or (_NAME.fullmatch(name) is not None and await store.is_permission_held(name))


async def is_environment_known(name: str) -> bool:
    return name in catalogue.current().environments or (_NAME.fullmatch(name) is not None and await store.is_environment_held(name))


def no_permission(name: str) -> str:
    return f"There is no permission {cut(name)[:60]!r}."


def address_of(text: str | None) -> str | None:
    """Refused 400 for text that is not an address."""
    try:
        return parse_address(text) if text is not None else None
    except ValueError as error:
        raise invalid("BAD_REQUEST", str(error)) from None


def forwarded_address(lines: bytes | None, trusted: tuple[Network, ...]) -> str | None:
    """The rightmost entry of `X-Forwarded-For` that is not one of our proxies; None if missing, malformed or used up.

    Only what our own proxies appended can be believed, so the list is read from its end. What is malformed is said.
    """
    for entry in reversed(lines.split(b",")) if lines is not None else ():
        if not entry.strip():  # empty elements of a list count for nothing (RFC 9110 section 5.6.1.2)
            continue
        try:
            address = _bare_address(entry.decode("ascii"))
        except ValueError:
            unreadable.note(entry)
            return None
        if not trusted or not _is_trusted(address, trusted):
            return address
    return None


# As balancers write it: in quotes, with a port, in brackets, with a zone (RFC 7239 section 6; Azure, AWS).
_WRITTEN: Final = re.compile(
    r'\s*"?(?:\[([0-9A-Fa-f:.]+)(?:%[^\]"]{1,40})?\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)(?:%[^\]"]{1,40})?)"?\s*'
)


def _bare_address(entry: str) -> str:
    """The address of an entry, without what is written around it. ValueError for anything else."""
    written = _WRITTEN.fullmatch(entry)
    return parse_address(next(filter(None, written.groups())) if written else entry)


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    place = ipaddress.ip_address(address)
    return any(place in network for network in trusted)


async def events_of(report: UsageRequest) -> list[Event | Fault]:
    """The events of a report, each by itself: a Fault where one is not what was expected."""
    known: dict[str, bool] = {}
    return [await _event(raw, known) for raw in report.events[: reports.MOST_EVENTS + 1]]


async def _event(raw: msgspec.Raw, known: dict[str, bool]) -> Event | Fault:
    """`known` holds what was found out about permissions since the report came in."""
    try:
        given = _usage_event.decode(raw)
        address = parse_address(given.ip) if given.ip is not None else None
        at = reports.parse_instant(given.at)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        return Fault("INVALID_EVENT", _told(error))
    if not 100 <= given.status <= 599:
        return Fault("INVALID_STATUS", "`status` is not an HTTP status.")
    if (permission := given.permission) is not None:
        if permission not in known:
            known[permission] = await is_permission_known(permission)
        if not known[permission]:
            return Fault("UNKNOWN_PERMISSION", no_permission(permission))
    return Event(given.key_id, at, given.status, permission, address, given.user_agent)
