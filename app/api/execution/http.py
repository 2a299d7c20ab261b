"""GraphQL over HTTP: one POST with one JSON object, always answered by one JSON object.

Strawberry's own controller resolves dependencies and switches threads for every request; this one does neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app import bodies
from app.api.execution.trusted import named_digest
from app.asgi import NO_STORE, Header, Receive, Send, send_content
from app.errors import KeydeskError

RESPONSE: Final = "application/graphql-response+json"
LEGACY: Final = "application/json"
STREAM: Final = "text/event-stream"
MAXIMUM_BODY: Final = 64 * 1024
MAXIMUM_JSON_DEPTH: Final = 32
# Entries of one list, in variables as in documents.
MAXIMUM_LIST: Final = 100
# PostgreSQL cannot store NUL in texts, SQLite can: refused for both.
NUL_TEXT: Final = "The character NUL is not part of any text here."

_NOSNIFF: Final[Header] = (b"x-content-type-options", b"nosniff")


class Refused(KeydeskError):
    """The HTTP request itself is invalid and never becomes a GraphQL request."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Body(msgspec.Struct):
    """The parameters of GraphQL over HTTP. `decode` returns none without a query."""

    query: str | None = None
    operationName: str | None = None  # noqa: N815  # the name on the wire
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    documentId: str | None = None  # noqa: N815  # the same


@dataclass(frozen=True, slots=True)
class Response:
    """Status, JSON content, and additional headers."""

    status: int
    content: Mapping[str, Any]
    media_type: str = LEGACY
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, send: Send, request_id: str) -> None:
        headers = {"x-request-id": request_id, **self.headers}
        await send_body(send, self.status, msgspec.json.encode(self.content), self.media_type, headers)


async def send_body(send: Send, status: int, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
    """Sends a complete response that may not be cached."""
    added = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send_content(send, status, f"{media_type}; charset=utf-8".encode(), body, NO_STORE, _NOSNIFF, *added)


def media_type(accept: str) -> str:
    """The media type of the response: the newer one only if `accept` names it and does not prefer plain JSON."""
    qualities = _qualities(accept)
    newer = qualities.get(RESPONSE, 0.0)
    older = next((qualities[name] for name in (LEGACY, "application/*", "*/*") if name in qualities), 0.0)
    return RESPONSE if newer > 0 and newer >= older else LEGACY


def accepts_stream(accept: str) -> bool:
    """Whether the client takes server-sent events; it must name them."""
    return _qualities(accept).get(STREAM, 0.0) > 0


def accepts_json(accept: str) -> bool:
    """Whether the client takes one JSON object; also one that says nothing."""
    qualities = _qualities(accept)
    return accept == "" or any(qualities.get(name, 0.0) > 0 for name in (RESPONSE, LEGACY, "application/*", "*/*"))


def require_json(content_types: list[str]) -> None:
    """Raises Refused for anything but `application/json` in UTF-8: content types that an HTML form can send are refused."""
    kind, *parameters = [part.strip().lower() for part in (content_types[0] if len(content_types) == 1 else "").split(";")]
    charsets = [value.strip('"') for name, _, value in (item.partition("=") for item in parameters) if name.strip() == "charset"]
    if kind != LEGACY or any(charset.strip() not in ("utf-8", "utf8") for charset in charsets):
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"Send Content-Type: {LEGACY}.", accept_post=LEGACY)


def require_plain(encodings: list[str]) -> None:
    """Raises Refused for a compressed body."""
    if any(encoding.strip().lower() != "identity" for encoding in encodings):
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "The body is compressed. Send it without Content-Encoding.")


async def read_body(receive: Receive, lengths: list[str]) -> bytes:
    """At most MAXIMUM_BODY bytes. Raises Refused for more (before reading, if `Content-Length` says so) and for a body
    that does not arrive in time."""
    try:
        return await bodies.read_body(receive, lengths[0].encode("latin-1") if lengths else None, MAXIMUM_BODY)
    except bodies.BodyTooLarge:
        raise _too_large() from None
    except bodies.BodyTimeout:
        late = f"The body did not arrive within {bodies.BODY_SECONDS:g} seconds."
        raise Refused(408, "REQUEST_TIMEOUT", late, connection="close") from None
    except bodies.ClientGone:
        raise Refused(400, "BAD_REQUEST", "The request ended early.") from None


def decode(body: bytes, published: Mapping[str, str]) -> Body:
    """The parameters in a JSON body; a query that is named by its digest alone is taken from `published`. Raises Refused with the
    fault and its position."""
    try:
        text = body.decode()
        decoded = msgspec.json.decode(text, type=Body)
        # A proxy that reads the body may take the first of two equal names, msgspec takes the last.
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except RecursionError:
        raise _nested_too_deeply() from None
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise Refused(400, "BAD_REQUEST", f"The body is not a GraphQL request in JSON: {error}.") from None
    digest = named_digest(decoded.documentId, decoded.extensions)
    if not decoded.query and digest is not None:
        decoded.query = published.get(digest)
        if decoded.query is None:
            # The message and status that make Apollo's and urql's clients send the whole query instead.
            raise Refused(200, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
    if decoded.query is None:
        raise Refused(400, "BAD_REQUEST", "The body is not a GraphQL request in JSON: it has no `query`.")
    # Some clients send an empty name for none.
    decoded.operationName = decoded.operationName or None
    _check(decoded.variables or {})
    return decoded


def error(code: str, message: str) -> dict[str, Any]:
    """A body with one error and no data."""
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _qualities(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = [item.strip() for item in part.split(";")]
        given = [item[2:] for item in parameters if item.startswith("q=")]
        try:
            found[name] = float(given[0]) if given else 1.0
        except ValueError:
            found[name] = 0.0
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise Refused(400, "BAD_REQUEST", "A name appears twice in one object of the body.")


def _check(variables: dict[str, Any]) -> None:
    """Raises Refused for values that no input accepts: too many levels, too long a list, NUL."""
    level: list[Any] = [variables]
    for _ in range(MAXIMUM_JSON_DEPTH):
        level = [inner for item in level for inner in _children(item)]
        if any(isinstance(item, list) and len(item) > MAXIMUM_LIST for item in level):
            raise Refused(400, "LIMIT_EXCEEDED", f"A list has at most {MAXIMUM_LIST} entries.")
        if any(isinstance(item, str) and "\0" in item for item in level):
            raise Refused(400, "BAD_REQUEST", NUL_TEXT)
        if not level:
            return
    raise _nested_too_deeply()


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _too_large() -> Refused:
    return Refused(413, "TOO_LARGE", f"A request has at most {MAXIMUM_BODY // 1024} KiB.")


def _nested_too_deeply() -> Refused:
    return Refused(400, "BAD_REQUEST", f"JSON is nested at most {MAXIMUM_JSON_DEPTH} levels deep.")
