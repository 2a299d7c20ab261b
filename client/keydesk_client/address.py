"""The caller's IP address, from the peer or from `X-Forwarded-For`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from keydesk_client.asgi import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
UNIX_SOCKET = "unix"


class TrustedProxies:
    """The networks whose `X-Forwarded-For` is trusted; `unix` means a peer on a Unix socket, which has no address.

    Without trusted proxies, the caller is the peer. Behind a proxy, it is the rightmost entry that is not itself a trusted
    proxy: the caller wrote all entries to the left of it, and may write anything.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        names = list(networks)
        self._socket = UNIX_SOCKET in names
        self._networks = [ipaddress.ip_network(name) for name in names if name != UNIX_SOCKET]

    def caller(self, scope: Scope) -> str | None:
        """The caller's address; None if it is missing or malformed, or if all entries are proxies."""
        peer = scope.get("client")
        address = _parse(peer[0]) if peer else None
        if self._socket if peer is None else self._trusts(address):
            address = self._forwarded(scope)
        return None if address is None else str(address)

    def _forwarded(self, scope: Scope) -> Address | None:
        lines = (value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"x-forwarded-for")
        for entry in reversed(",".join(lines).split(",")):
            if not entry.strip():  # empty list elements are ignored (RFC 9110 section 5.6.1.2)
                continue
            address = _parse(entry)
            if not self._trusts(address):
                return address
        return None

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


# The forms that load balancers write: in quotes, with a port, in brackets, with a zone (RFC 7239 section 6, Azure, AWS).
_ENTRY = re.compile(
    r'\s*"?(?:\[([0-9A-Fa-f:.]+)(?:%[^\]"]{1,40})?\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)(?:%[^\]"]{1,40})?)"?\s*'
)


def _parse(text: str) -> Address | None:
    entry = _ENTRY.fullmatch(text)
    try:
        address = ipaddress.ip_address(next(filter(None, entry.groups()))) if entry else None
    except ValueError:
        return None
    # An IPv4 caller on a dual-stack socket.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
