"""Lines of a gateway's access log in the format of `examples/nginx`, one JSON object for each request.

The format may have further fields. Gateways write header values byte by byte, so a line is Latin-1, as HTTP headers are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from app.keys.networks import parse_address
from app.usage.reports import Event, Fault, parse_instant


class Line(msgspec.Struct, rename="camel"):
    """A request. `request_id` and `outcome_follows` are from Keydesk's answer, and empty if it was not asked or refused it."""

    request_id: str
    key_id: str
    at: str
    status: int
    permission: str
    ip: str
    user_agent: str
    outcome_follows: str


_line: Final = msgspec.json.Decoder(Line)
_parse_instant: Final = lru_cache(maxsize=256)(parse_instant)
INVALID_LINE: Final = "INVALID_LINE"
_INVALID: Final = Fault(INVALID_LINE, "This is not a line in the format of examples/nginx.")


def line_of(raw: bytes) -> Line | None:
    """None if it is not in the format."""
    try:
        return _line.decode(raw.decode("latin-1"))
    except (msgspec.DecodeError, RecursionError):
        return None


def event_of(line: Line | None) -> Event | Fault | None:
    """What is to be counted: None if Keydesk counted the request when it was asked, or was not asked."""
    if line is not None and line.outcome_follows != "true":
        return None
    if line is None or not line.request_id:
        return _INVALID
    try:
        at = _parse_instant(line.at)
    except ValueError as error:
        return Fault(INVALID_LINE, str(error))
    return Event(line.key_id, at, line.status, line.permission or None, _address(line.ip), line.user_agent or None)


@lru_cache(maxsize=4_096)
def _address(text: str) -> str | None:
    """None if it is unknown, as for a client on a Unix socket."""
    try:
        return parse_address(text)
    except ValueError:
        return None
