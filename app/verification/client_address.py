"""The address of a client: the peer's, or the one that our own proxies forwarded."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from app.asgi import header
from app.keys.networks import parse_address
from app.settings import Network
from app.verification import unreadable

_LONGEST_KNOWN_ENTRY: Final = 60


def client_address(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> str | None:
    """The peer's address or, if the peer is one of our proxies, the forwarded one; None if it is unknown.

    For callers without a gateway token: what they write into `X-Forwarded-For` themselves counts for nothing.
    """
    peer = scope.get("client")
    try:
        address = parse_address(peer[0]) if peer else None
    except ValueError:
        return None
    if address is not None and not _is_trusted(address, trusted):
        return address
    return forwarded_address(header(scope, b"x-forwarded-for").encode("latin-1"), trusted)


def forwarded_address(lines: bytes | None, trusted: tuple[Network, ...]) -> str | None:
    """The rightmost entry of `X-Forwarded-For` that is not one of our proxies; None if missing, malformed or all are proxies.

    Only entries appended by our own proxies can be trusted, so the list is read from its end. Malformed entries are logged.
    """
    for entry in reversed(lines.split(b",")) if lines is not None else ():
        if not entry.strip():  # empty elements of a list are ignored (RFC 9110 section 5.6.1.2)
            continue
        try:
            address = _bare_address(entry) if len(entry) <= _LONGEST_KNOWN_ENTRY else _bare_address.__wrapped__(entry)
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


@lru_cache(maxsize=4_096)
def _bare_address(entry: bytes) -> str:
    """The address of an entry without its decoration. Raises ValueError for anything else. Pure, so it is cached."""
    text = entry.decode("ascii")
    written = _WRITTEN.fullmatch(text)
    return parse_address(next(filter(None, written.groups())) if written else text)


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    client = ipaddress.ip_address(address)
    return any(client in network for network in trusted)
