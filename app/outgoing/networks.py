"""Which addresses may be contacted: public ones, and networks that the operator listed."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registry (RFC 6890), and Azure's metadata service at a public address. Listed here rather than taken from
# `is_global`, whose answer depends on the version of Python.
_CLOSED_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        ),
    )
)  # fmt: skip
# Of IPv6 only global unicast is open. Closed in it: Teredo and others, documentation, 6to4, AS112, which lead elsewhere or nowhere.
_OPEN_6: Final = ipaddress.IPv6Network("2000::/3")
_CLOSED_6: Final = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")))


def is_allowed(address: Address, listed: Collection[Network] = ()) -> bool:
    """Whether a request may go there. An IPv4 address written as IPv6 never passes, so that no rule has to see through it."""
    if any(address.version == network.version and address in network for network in listed):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    return address in _OPEN_6 and address.scope_id is None and not any(address in network for network in _CLOSED_6)
